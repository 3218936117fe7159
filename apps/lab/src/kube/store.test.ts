import { systemClock } from "@skopos/model";
import { beforeEach, describe, expect, it } from "vitest";
import type { Json } from "./json.ts";
import { valueAt } from "./json.ts";
import type { KubeObject } from "./object.ts";
import { StatusError } from "./status-error.ts";
import { KubeStore } from "./store.ts";

let store: KubeStore;

beforeEach(() => {
  store = new KubeStore({
    clock: systemClock,
    limits: { objectsMax: 5, historyMax: 4, watchersMax: 3 },
  });
  store.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
});

function configMap(data: { [key: string]: string }, name = "c"): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "n" }, data };
}

function deployment(replicas: Json = 2): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", namespace: "n" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "d" } },
      template: {
        metadata: { labels: { app: "d" } },
        spec: { containers: [{ name: "a", image: "a:1" }] },
      },
    },
  };
}

/** The refusal of `action`. */
function refusal(action: () => unknown): StatusError {
  try {
    action();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("writes", () => {
  it("refuse an update that was based on an older state", () => {
    const first = store.create(configMap({ a: "1" }));
    store.update({ ...first, data: { a: "2" } });
    const error = refusal(() => store.update({ ...first, data: { a: "3" } }));
    expect(error.httpStatus).toBe(409);
    expect(error.message).toBe(
      'Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to the latest version and try again',
    );
    expect(store.get("ConfigMap", "n", "c")?.["data"]).toEqual({ a: "2" });
  });

  it("count generations for changes of the spec only", () => {
    store.create(deployment());
    const labelled = { metadata: { labels: { x: "y" } } };
    store.patch("Deployment", "n", "d", "merge", labelled);
    expect(store.get("Deployment", "n", "d")?.metadata.generation).toBe(1);
    store.patch("Deployment", "n", "d", "merge", { spec: { replicas: 3 } });
    expect(store.get("Deployment", "n", "d")?.metadata.generation).toBe(2);
  });

  it("keep spec and status apart", () => {
    const made = store.create(deployment());
    store.updateStatus({ ...made, spec: {}, status: { replicas: 7 } });
    const after = store.get("Deployment", "n", "d");
    expect(after?.spec.replicas).toBe(2);
    store.patch("Deployment", "n", "d", "merge", {
      status: { replicas: 9 },
      spec: { replicas: 1 },
    });
    expect(store.get("Deployment", "n", "d")?.status.replicas).toBe(7);
  });

  it("give the same revision to a write that changes nothing", () => {
    const made = store.create(configMap({ a: "1" }));
    const again = store.patch("ConfigMap", "n", "c", "merge", { data: { a: "1" } });
    expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  it("leave no trace of a dry run", () => {
    const before = store.storage.revision;
    const made = store.create(deployment(), { dryRun: true });
    expect(valueAt(made, "spec", "strategy", "rollingUpdate", "maxSurge")).toBe("25%");
    expect(store.storage.revision).toBe(before);
    expect(store.get("Deployment", "n", "d")).toBeUndefined();
  });

  it("keep what they return from being changed", () => {
    const made = store.create(configMap({ a: "1" }));
    expect(() => {
      (made["data"] as { [key: string]: string })["a"] = "2";
    }).toThrow(TypeError);
  });

  it("hold an object with finalizers until they are gone", () => {
    const metadata = { name: "c", namespace: "n", finalizers: ["lab/hold"] };
    store.create({ ...configMap({}), metadata });
    store.delete("ConfigMap", "n", "c");
    expect(store.get("ConfigMap", "n", "c")?.metadata.deletionTimestamp).toMatch(/Z$/);
    store.patch("ConfigMap", "n", "c", "merge", { metadata: { finalizers: null } });
    expect(store.get("ConfigMap", "n", "c")).toBeUndefined();
  });

  it("stop at the limit of objects", () => {
    for (let made = 0; made < 5; made++) store.create(configMap({}, `c${made}`));
    expect(refusal(() => store.create(configMap({}))).message).toContain("no more than 5 objects");
  });
});

describe("refusals", () => {
  const cases: { name: string; object: () => KubeObject; status: number; message: string }[] = [
    {
      name: "a wrong type",
      object: () => deployment("two"),
      status: 400,
      message:
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    },
    {
      name: "a negative count",
      object: () => deployment(-1),
      status: 422,
      message:
        'Deployment.apps "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    },
    {
      name: "an unknown namespace",
      object: () => ({ ...configMap({}), metadata: { name: "c", namespace: "nowhere" } }),
      status: 404,
      message: 'namespaces "nowhere" not found',
    },
    {
      name: "a custom resource without its required field",
      object: () => ({
        apiVersion: "networking.istio.io/v1",
        kind: "DestinationRule",
        metadata: { name: "d", namespace: "n" },
        spec: {},
      }),
      status: 422,
      message: 'DestinationRule.networking.istio.io "d" is invalid: spec.host: Required value',
    },
  ];
  for (const { name, object, status, message } of cases) {
    it(`say what is wrong with ${name}`, () => {
      const error = refusal(() => store.create(object()));
      expect(error.httpStatus).toBe(status);
      expect(error.message).toBe(message);
    });
  }

  it("report every finding as a cause", () => {
    const wanted = deployment();
    wanted["spec"] = { template: { spec: { containers: [{ name: "UPPER" }] } } };
    const error = refusal(() => store.create(wanted));
    expect(error.details?.causes).toContainEqual({
      reason: "FieldValueRequired",
      message: "Required value",
      field: "spec.selector",
    });
  });
});

describe("watches", () => {
  it("tell every change in order, after the write that made it", async () => {
    const seen: string[] = [];
    const stop = store.watch("ConfigMap", ({ type, object }) => {
      seen.push(`${type} ${object.metadata.resourceVersion}`);
    });
    store.create(configMap({}));
    store.patch("ConfigMap", "n", "c", "merge", { data: { a: "1" } });
    store.delete("ConfigMap", "n", "c");
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual(["ADDED 3", "MODIFIED 4", "DELETED 5"]);
    stop();
  });

  it("resume within the history and are refused beyond it", () => {
    store.create(configMap({ n: "0" }));
    const from = store.storage.revision;
    store.patch("ConfigMap", "n", "c", "merge", { data: { n: "1" } });
    const seen: unknown[] = [];
    store.storage.subscribe("ConfigMap", from, ({ object }) => seen.push(object["data"]))();
    expect(seen).toEqual([{ n: "1" }]);
    for (let at = 2; at < 12; at++) {
      store.patch("ConfigMap", "n", "c", "merge", { data: { n: String(at) } });
    }
    const error = refusal(() => store.storage.subscribe("ConfigMap", from, () => undefined));
    expect(error.httpStatus).toBe(410);
    expect(error.message).toMatch(/^too old resource version: 3 \(\d+\)$/);
  });
});

function apply(manager: string, body: Json, force = false): KubeObject {
  return store.patch("ConfigMap", "n", "c", "apply", body, { fieldManager: manager, force });
}

describe("server-side apply", () => {
  it("creates, shares equal fields and drops what nobody applies any more", () => {
    apply("one", { data: { a: "1", b: "2" } });
    apply("two", { data: { b: "2", c: "3" } });
    apply("one", { data: { a: "1" } });
    expect(store.get("ConfigMap", "n", "c")?.["data"]).toEqual({ a: "1", b: "2", c: "3" });
    apply("two", { data: { c: "3" } });
    expect(store.get("ConfigMap", "n", "c")?.["data"]).toEqual({ a: "1", c: "3" });
  });

  it("refuses to change what another manager owns, unless forced", () => {
    apply("one", { data: { a: "1" } });
    const error = refusal(() => apply("two", { data: { a: "2" } }));
    expect(error.httpStatus).toBe(409);
    expect(error.message).toBe('Apply failed with 1 conflict: conflict with "one": .data.a');
    expect(error.details?.causes).toEqual([
      { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.a" },
    ]);
    apply("two", { data: { a: "2" } }, true);
    apply("one", { data: {} });
    expect(store.get("ConfigMap", "n", "c")?.["data"]).toEqual({ a: "2" });
  });

  it("counts plain updates as ownership too, and merges lists by their keys", () => {
    store.create(deployment(), { fieldManager: "creator" });
    const port = {
      spec: { template: { spec: { containers: [{ name: "a", ports: [{ containerPort: 80 }] }] } } },
    };
    store.patch("Deployment", "n", "d", "apply", port, { fieldManager: "ports" });
    const container = store.get("Deployment", "n", "d")?.spec.template.spec.containers[0];
    expect(container).toMatchObject({
      image: "a:1",
      ports: [{ containerPort: 80, protocol: "TCP" }],
    });
    const scaled = { spec: { replicas: 5 } };
    const error = refusal(() =>
      store.patch("Deployment", "n", "d", "apply", scaled, { fieldManager: "ports" }),
    );
    expect(error.message).toMatch(
      /^Apply failed with 1 conflict: conflict with "creator" using apps\/v1 at \S+Z: \.spec\.replicas$/,
    );
  });
});
