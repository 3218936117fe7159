import { describe, expect, it } from "vitest";
import { kindNamed } from "../kinds.ts";
import type { Json } from "../json.ts";
import type { KubeObject } from "../object.ts";
import { humanDuration } from "./human-duration.ts";
import { columnsOf, tableOf } from "./table.ts";

const nowMs = Date.parse("2026-01-01T00:10:00Z");
const created = "2026-01-01T00:00:00Z";

/** The cells of one object under their column names. */
function cells(object: KubeObject): { [column: string]: Json } {
  const kind = kindNamed(object.kind);
  if (kind === undefined) throw new Error(`no kind ${object.kind}`);
  return Object.fromEntries(columnsOf(kind).map((each) => [each.name, each.value(object, nowMs)]));
}

function pod(status: { [field: string]: Json }, metadata: { deletionTimestamp?: string } = {}) {
  const containers = [{ name: "a" }, { name: "b" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", creationTimestamp: created, ...metadata },
    spec: { containers },
    status,
  };
}

const running = { ready: true, restartCount: 0, state: { running: {} } };

const waiting = (reason: string) => ({
  ready: false,
  restartCount: 0,
  state: { waiting: { reason } },
});

describe("pod rows", () => {
  it("counts ready containers and restarts", () => {
    const finished = { terminated: { finishedAt: "2026-01-01T00:08:00Z" } };
    const statuses = [running, { ...running, restartCount: 3, lastState: finished }];
    const shown = cells(pod({ phase: "Running", containerStatuses: statuses, podIP: "10.0.0.1" }));
    expect(shown).toMatchObject({
      Ready: "2/2",
      Status: "Running",
      Restarts: "3 (2m ago)",
      Age: "10m",
      IP: "10.0.0.1",
      Node: "<none>",
    });
  });

  const cases: [name: string, object: KubeObject, status: string][] = [
    [
      "a crash loop",
      pod({ phase: "Running", containerStatuses: [waiting("CrashLoopBackOff"), running] }),
      "CrashLoopBackOff",
    ],
    ["a deletion", pod({ phase: "Running" }, { deletionTimestamp: created }), "Terminating"],
    [
      "a failed exit",
      pod({
        phase: "Failed",
        containerStatuses: [
          { ready: false, restartCount: 0, state: { terminated: { exitCode: 2 } } },
        ],
      }),
      "ExitCode:2",
    ],
    [
      "an init container",
      pod({ phase: "Pending", initContainerStatuses: [waiting("PodInitializing")] }),
      "Init:0/0",
    ],
    ["an eviction", pod({ phase: "Failed", reason: "Evicted" }), "Evicted"],
  ];
  for (const [name, object, status] of cases) {
    it(`names ${name} ${status}`, () => expect(cells(object)["Status"]).toBe(status));
  }
});

describe("other rows", () => {
  it("show services with node ports and pending addresses", () => {
    const shown = cells({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s", creationTimestamp: created },
      spec: {
        type: "LoadBalancer",
        clusterIP: "10.96.0.9",
        ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }],
        selector: { b: "2", a: "1" },
      },
    });
    expect(shown).toMatchObject({
      "External-IP": "<pending>",
      "Port(s)": "80:30080/TCP",
      Selector: "a=1,b=2",
    });
  });

  it("print the lists of custom resources as JSON", () => {
    const shown = cells({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "v", creationTimestamp: created },
      spec: { hosts: ["a", "b"], gateways: ["mesh"] },
    });
    expect(shown).toMatchObject({ Gateways: '["mesh"]', Hosts: '["a","b"]' });
  });

  it("carry metadata, the object or nothing, as asked", () => {
    const kind = kindNamed("ConfigMap");
    if (kind === undefined) throw new Error("no ConfigMap kind");
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: {} };
    const row = (includeObject: "None" | "Metadata" | "Object") => {
      const options = { includeObject, withColumns: true, metadata: {}, nowMs };
      const { rows } = tableOf(kind, [object], (each) => each, options);
      return Array.isArray(rows) ? rows[0] : undefined;
    };
    expect(row("None")).not.toHaveProperty("object");
    expect(row("Metadata")).toMatchObject({ object: { kind: "PartialObjectMetadata" } });
    expect(row("Object")).toMatchObject({ object });
  });
});

describe("human durations", () => {
  const cases: [seconds: number, text: string][] = [
    [-5, "<invalid>"],
    [119, "119s"],
    [125, "2m5s"],
    [600, "10m"],
    [3 * 3600, "3h"],
    [3 * 3600 + 240, "3h4m"],
    [49 * 3600, "2d1h"],
    [400 * 86400, "400d"],
    [3 * 365 * 86400, "3y"],
  ];
  for (const [seconds, text] of cases) {
    it(`${seconds} s are ${text}`, () => expect(humanDuration(seconds * 1000)).toBe(text));
  }
});
