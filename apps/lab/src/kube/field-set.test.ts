import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareFields, decodeFields, encodeFields, fieldsOf, formatPath } from "./field-set.ts";
import { schemaNamed } from "./kinds.ts";

const pod = {
  metadata: { name: "p", labels: { app: "cart" }, finalizers: ["lab/hold"] },
  spec: {
    containers: [
      { name: "app", image: "a:1", ports: [{ containerPort: 80 }], command: ["x", "y"] },
    ],
  },
};

describe("field sets", () => {
  it("name fields as FieldsV1 does", () => {
    const set = new Set(fieldsOf(pod, schemaNamed("Pod"), true).keys());
    expect(encodeFields(set)).toEqual({
      "f:metadata": {
        "f:labels": { ".": {}, "f:app": {} },
        "f:finalizers": { ".": {}, 'v:"lab/hold"': {} },
      },
      "f:spec": {
        "f:containers": {
          'k:{"name":"app"}': {
            ".": {},
            "f:name": {},
            "f:image": {},
            "f:command": {},
            "f:ports": {
              ".": {},
              'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} },
            },
          },
        },
      },
    });
  });

  it("write paths as conflict messages show them", () => {
    const paths = [...fieldsOf(pod, schemaNamed("Pod"), false).keys()].map(formatPath);
    expect(paths).toContain(".metadata.labels.app");
    expect(paths).toContain('.metadata.finalizers[="lab/hold"]');
    expect(paths).toContain('.spec.containers[name="app"].image');
    expect(paths).toContain(
      '.spec.containers[name="app"].ports[containerPort=80,protocol="TCP"].containerPort',
    );
  });

  it("tell what a change set and what it took away", () => {
    const schema = schemaNamed("ConfigMap");
    const before = fieldsOf({ data: { a: "1", b: "2" } }, schema, false);
    const after = fieldsOf({ data: { a: "9", c: "3" } }, schema, false);
    const { changed, removed } = compareFields(before, after);
    expect([...changed].map(formatPath)).toEqual([".data.a", ".data.c"]);
    expect([...removed].map(formatPath)).toEqual([".data.b"]);
  });

  it("survive being written and read", () => {
    const name = fc.stringMatching(/^[a-z/.-]{1,8}$/);
    const objects = fc.dictionary(name, fc.oneof(fc.string(), fc.dictionary(name, fc.integer())));
    fc.assert(
      fc.property(objects, (spec) => {
        const schema = schemaNamed("CustomResourceDefinition");
        const set = new Set(fieldsOf({ spec }, schema, true).keys());
        expect(decodeFields(encodeFields(set))).toEqual(set);
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});
