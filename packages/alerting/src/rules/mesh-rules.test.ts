import { readFileSync } from "node:fs";
import path from "node:path";
import { FakeClock } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { type Edge, type Traffic, writeTraffic } from "../testing/mesh-traffic.ts";
import { RuleLab } from "../testing/rule-lab.ts";
import { parseRuleFile } from "./file.ts";

const folder = path.resolve(import.meta.dirname, "../../rules");
const read = (name: string) => readFileSync(path.join(folder, name), "utf8");
const demo = read("mesh-demo.yaml");

const steady: Traffic = { rate: 20, failing: 0.002, latencyMs: 20 };
/** When faults begin: the demo is cold, there were two and a half minutes of normal. */
const faultAt = 150;

function edge(
  service: string,
  fault: Partial<Traffic>,
  reporter: Edge["reporter"] = "source",
): Edge {
  return {
    service,
    reporter,
    at: (second) => (second < faultAt ? steady : { ...steady, ...fault }),
  };
}

interface Outcome {
  readonly firing: Record<string, number>;
  readonly transitions: string[];
}

/** Runs the demo rules for `seconds`; firing alerts with the second at which each fired. */
async function run(edges: readonly Edge[], seconds: number, seed = 1): Promise<Outcome> {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const lab = new RuleLab(demo, clock, {});
  const firing: Record<string, number> = {};
  for (const [i, each] of edges.entries())
    writeTraffic(lab.reader, each, { startMs, seconds, stepMs: 5000 }, seed * 100 + i);
  for (let second = 0; second < seconds; second += 5) {
    await clock.advance(5000);
    for (const alert of lab.runner.alerts())
      if (alert.state === "firing")
        firing[`${alert.name} ${alert.labels["destination_service_name"]}`] ??= second + 5;
  }
  await lab.runner.stop();
  const errors = lab.runner
    .status()
    .flatMap((group) => group.rules.map((rule) => rule.lastError).filter((text) => text !== ""));
  expect(errors).toEqual([]);
  return { firing, transitions: lab.transitions };
}

describe("the mesh rules in the demo's timing", () => {
  it.each([1, 2])("are quiet in steady state (seed %i)", async (seed) => {
    const edges = ["cart", "shop", "user"].flatMap((service) => [
      edge(service, {}),
      edge(service, {}, "destination"),
    ]);
    const quiet = {
      service: "rare",
      reporter: "source" as const,
      at: () => ({ ...steady, rate: 0.2, failing: 0.3 }),
    };
    expect((await run([...edges, quiet], 400, seed)).transitions).toEqual([]);
  });

  it("see errors that only the callers' proxies count, within 30 s of the fault", async () => {
    const refused = { failing: 0.5, code: "503", flags: "UO" };
    const { firing } = await run(
      [edge("user", refused), edge("user", {}, "destination"), edge("cart", {})],
      240,
    );
    expect(Object.keys(firing)).toEqual(["MeshServiceErrors user"]);
    expect(firing["MeshServiceErrors user"]).toBeLessThanOrEqual(faultAt + 30);
  });

  it("see errors of a service whose callers have no proxy", async () => {
    const { firing } = await run([edge("user", { failing: 0.2 }, "destination")], 240);
    expect(Object.keys(firing)).toEqual(["MeshServiceErrors user"]);
  });

  it("see a part of the requests failing, and one failing request in many not", async () => {
    const { firing } = await run(
      [edge("post", { failing: 0.12 }), edge("cart", { failing: 0.02 })],
      300,
    );
    expect(Object.keys(firing)).toEqual(["MeshServiceErrors post"]);
  });

  it("see refusals by policy as refusals", async () => {
    const { firing } = await run([edge("user", { failing: 0.6, code: "403" })], 240);
    expect(Object.keys(firing)).toEqual(["MeshServiceRefusals user"]);
  });

  it("see a service slower than its own past within 45 s, and go on seeing it for minutes", async () => {
    const { firing, transitions } = await run(
      [edge("user", { latencyMs: 400 }), edge("cart", {})],
      480,
    );
    expect(Object.keys(firing)).toEqual(["MeshServiceLatency user"]);
    expect(firing["MeshServiceLatency user"]).toBeLessThanOrEqual(faultAt + 45);
    expect(transitions.filter((text) => text.includes("resolved"))).toEqual([]);
  });

  it("do not mind a slow service that was always slow, nor a fast one twice as slow", async () => {
    const slow = {
      service: "report",
      reporter: "source" as const,
      at: () => ({ ...steady, latencyMs: 900 }),
    };
    const { transitions } = await run([slow, edge("cart", { latencyMs: 45 })], 300);
    expect(transitions).toEqual([]);
  });

  it("do not mind a stall of two seconds", async () => {
    const stalled: Edge = {
      service: "user",
      reporter: "source",
      at: (second) => (second === 200 ? { ...steady, rate: 8, latencyMs: 1500 } : steady),
    };
    expect(
      (await run([stalled], 300)).transitions.filter((text) => text.endsWith("→firing")),
    ).toEqual([]);
  });

  it("say nothing when the telemetry is gone", async () => {
    const lost: Edge = {
      service: "user",
      reporter: "source",
      at: (second) => (second < faultAt ? steady : undefined),
    };
    expect((await run([lost], 300)).transitions).toEqual([]);
  });
});

const shape = (name: string) =>
  parseRuleFile(read(name), name)
    .filter((group) => group.name === "mesh-services")
    .flatMap((group) => group.rules);

it("both variants have the same service alerts, with for of their own", () => {
  const inDemo = shape("mesh-demo.yaml");
  const inProduction = shape("mesh.yaml");
  expect(inProduction.map((rule) => rule.name)).toEqual(
    expect.arrayContaining(inDemo.map((rule) => rule.name)),
  );
  const fors = (rules: typeof inDemo) =>
    rules.flatMap((rule) => (rule.kind === "alert" ? [rule.forMs] : []));
  expect(new Set(fors(inDemo))).toEqual(new Set([10_000]));
  expect(Math.min(...fors(inProduction))).toBe(120_000);
});
