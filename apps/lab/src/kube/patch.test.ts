import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "./json.ts";
import { schemaNamed } from "./kinds.ts";
import { applyJsonPatch, applyMergePatch } from "./patch-json.ts";
import { applyStrategicPatch } from "./patch-strategic.ts";

const podSpec = (spec: JsonObject): JsonObject => ({ spec });
const strategic = (original: JsonObject, patch: JsonObject) =>
  applyStrategicPatch(original, patch, schemaNamed("Pod"));

describe("strategic merge patch", () => {
  const two = podSpec({
    containers: [
      { name: "a", image: "a:1", env: [{ name: "X", value: "1" }] },
      { name: "b", image: "b:1" },
    ],
  });
  const cases: { name: string; original: JsonObject; patch: JsonObject; result: JsonObject }[] = [
    {
      name: "merges containers by name and their variables by name",
      original: two,
      patch: podSpec({ containers: [{ name: "a", env: [{ name: "Y", value: "2" }] }] }),
      result: podSpec({
        containers: [
          {
            name: "a",
            image: "a:1",
            env: [
              { name: "X", value: "1" },
              { name: "Y", value: "2" },
            ],
          },
          { name: "b", image: "b:1" },
        ],
      }),
    },
    {
      name: "deletes a list item by directive",
      original: two,
      patch: podSpec({ containers: [{ name: "b", $patch: "delete" }] }),
      result: podSpec({
        containers: [{ name: "a", image: "a:1", env: [{ name: "X", value: "1" }] }],
      }),
    },
    {
      name: "replaces a list by directive",
      original: two,
      patch: podSpec({ containers: [{ $patch: "replace" }, { name: "c", image: "c:1" }] }),
      result: podSpec({ containers: [{ name: "c", image: "c:1" }] }),
    },
    {
      name: "replaces a map by directive",
      original: podSpec({ nodeSelector: { a: "1", b: "2" } }),
      patch: podSpec({ nodeSelector: { $patch: "replace", c: "3" } }),
      result: podSpec({ nodeSelector: { c: "3" } }),
    },
    {
      name: "orders items as the sender saw them and keeps the server's own in place",
      original: podSpec({ containers: [{ name: "a" }, { name: "injected" }, { name: "b" }] }),
      patch: podSpec({
        "$setElementOrder/containers": [{ name: "b" }, { name: "a" }],
        containers: [{ name: "b", image: "b:2" }],
      }),
      result: podSpec({
        containers: [{ name: "injected" }, { name: "b", image: "b:2" }, { name: "a" }],
      }),
    },
    {
      name: "removes scalars from a merged list and unites the rest",
      original: { metadata: { finalizers: ["x", "y"] } },
      patch: {
        metadata: { "$deleteFromPrimitiveList/finalizers": ["x"], finalizers: ["z"] },
      },
      result: { metadata: { finalizers: ["y", "z"] } },
    },
    {
      name: "keeps only the keys to retain",
      original: podSpec({ volumes: [{ name: "v", emptyDir: {} }] }),
      patch: podSpec({
        volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "c" } }],
      }),
      result: podSpec({ volumes: [{ name: "v", configMap: { name: "c" } }] }),
    },
    {
      name: "replaces lists without a merge key and deletes by null",
      original: podSpec({ hostname: "h", tolerations: [{ key: "a" }] }),
      patch: podSpec({ hostname: null, tolerations: [{ key: "b" }] }),
      result: podSpec({ tolerations: [{ key: "b" }] }),
    },
  ];
  for (const { name, original, patch, result } of cases) {
    it(name, () => {
      const before = structuredClone(original);
      expect(strategic(original, patch)).toEqual(result);
      expect(original).toEqual(before);
    });
  }

  it("refuses a list item without its merge key", () => {
    expect(() => strategic(two, podSpec({ containers: [{ image: "x" }] }))).toThrow(
      /does not contain declared merge key: name/,
    );
  });
});

describe("JSON patch", () => {
  const document = { a: [1, 2, 3], "x/y": { "~": true } };
  const cases: { name: string; patch: Json; result: Json }[] = [
    {
      name: "adds into and behind a list",
      patch: [
        { op: "add", path: "/a/1", value: 9 },
        { op: "add", path: "/a/-", value: 8 },
      ],
      result: { a: [1, 9, 2, 3, 8], "x/y": { "~": true } },
    },
    {
      name: "unescapes pointers",
      patch: [{ op: "replace", path: "/x~1y/~0", value: false }],
      result: { a: [1, 2, 3], "x/y": { "~": false } },
    },
    {
      name: "moves, copies and tests",
      patch: [
        { op: "test", path: "/a/0", value: 1 },
        { op: "move", from: "/a/0", path: "/b" },
        { op: "copy", from: "/b", path: "/a/0" },
        { op: "remove", path: "/x~1y" },
      ],
      result: { a: [1, 2, 3], b: 1 },
    },
  ];
  for (const { name, patch, result } of cases) {
    it(name, () => expect(applyJsonPatch(document, patch)).toEqual(result));
  }

  it("refuses failing tests, missing targets and what is no patch", () => {
    for (const path of ["/a/7", "/none", "a"]) {
      expect(() => applyJsonPatch(document, [{ op: "replace", path, value: 0 }])).toThrow(
        /rejected our request/,
      );
    }
    expect(() => applyJsonPatch(document, [{ op: "test", path: "/a/0", value: 2 }])).toThrow();
    expect(() => applyJsonPatch(document, { op: "add" })).toThrow(/error decoding patch/);
  });
});

describe("merge patch", () => {
  it("deletes by null, merges maps and replaces the rest", () => {
    const patched = applyMergePatch(
      { a: { b: 1, c: 2 }, d: [1] },
      { a: { b: null, e: 3 }, d: [2] },
    );
    expect(patched).toEqual({ a: { c: 2, e: 3 }, d: [2] });
  });

  it("changes nothing when applied a second time", () => {
    const value = fc.object({
      maxDepth: 3,
      values: [fc.integer(), fc.string(), fc.constant(null)],
    });
    fc.assert(
      fc.property(value, value, (document, patch) => {
        const from = JSON.parse(JSON.stringify(document)) as Json;
        const change = JSON.parse(JSON.stringify(patch)) as Json;
        const once = applyMergePatch(from, change);
        expect(applyMergePatch(once, change)).toEqual(once);
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});
