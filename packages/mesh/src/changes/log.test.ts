import type { Change } from "@skopos/api";
import { describe, expect, it } from "vitest";
import { ChangeLog } from "./log.ts";
import type { ChangeRecord } from "./record.ts";

const state = { apiVersion: "v1", kind: "Deployment", metadata: { name: "a" } };

function record(id: string, at: number, before: ChangeRecord["before"] = state): ChangeRecord {
  const change: Change = {
    id,
    at,
    kind: "rollout",
    object: { kind: "workload", id: "ns/a", name: "a" },
    serviceId: "ns/a",
    summary: "a: image v1 → v2",
    diff: "",
    by: null,
    resourceVersion: "1",
  };
  return { change, before, after: state };
}

const all = (log: ChangeLog) =>
  log.between({ startMs: 0, endMs: 1e9 }).map(({ change }) => change.id);

describe("the change log", () => {
  it("keeps what an earlier run saw instead of a reconstruction of it, so that its id stays", () => {
    const log = new ChangeLog(10);
    log.add(record("from-revisions", 1000), "reconstructed");
    expect(log.add(record("seen-live", 1051), "remembered")).toBe(false);
    expect(all(log)).toEqual(["seen-live"]);
  });

  it("keeps a reconstruction that knows the state before, when the witness does not", () => {
    const log = new ChangeLog(10);
    log.add(record("from-revisions", 1000), "reconstructed");
    log.add(record("seen-live", 1051, null), "remembered");
    expect(all(log)).toEqual(["from-revisions"]);
  });

  it("takes two live changes of one object for two, however close", () => {
    const log = new ChangeLog(10);
    expect(log.add(record("one", 1000), "live")).toBe(true);
    expect(log.add(record("two", 1001), "live")).toBe(true);
    expect(all(log)).toEqual(["two", "one"]);
  });
});
