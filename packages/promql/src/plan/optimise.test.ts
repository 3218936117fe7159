import { LabelSet, systemClock } from "@skopos/model";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { Annotations } from "../engine/annotations.ts";
import { Evaluator } from "../engine/evaluate.ts";
import { fetchSources } from "../engine/fetch.ts";
import { absent, type Frame } from "../engine/frame.ts";
import { Budget, defaultLimits } from "../engine/limits.ts";
import { parse } from "../syntax/index.ts";
import { MemoryReader } from "../testing/index.ts";
import { buildPlan } from "./build.ts";
import { hoistInvariants, sharedTexts } from "./optimise.ts";
import type { Grid, Root } from "./plan.ts";

const grid: Grid = { startMs: 120_000, stepMs: 20_000, count: 6 };

const reader = new MemoryReader();
for (const [pod, factor] of [
  ["x", 1],
  ["y", 3],
] as const) {
  const labels = LabelSet.fromMap({ __name__: "a_total", pod });
  const samples = Array.from({ length: 40 }, (_, i) => ({
    timeMs: i * 10_000,
    value: (i % 13) * factor,
  }));
  reader.add(labels, samples);
}

async function evaluate(
  root: Root,
  shared: ReadonlySet<string>,
): Promise<Map<string, (number | null)[]>> {
  if (root.type !== "vector") throw new Error("not a vector");
  const annotations = new Annotations("");
  const budget = new Budget(defaultLimits, systemClock, 10_000, () => false);
  const lookbackMs = 60_000;
  const sources = await fetchSources(root.node, grid, lookbackMs, reader, budget, annotations);
  const evaluator = new Evaluator({
    sources,
    annotations,
    budget,
    lookbackMs,
    delayedNames: false,
    sharedTexts: shared,
    nowMs: () => 0,
  });
  return table(evaluator.vector(root.node, grid));
}

function table(frame: Frame): Map<string, (number | null)[]> {
  const rows = frame.labels.map((labels, s): [string, (number | null)[]] => {
    const cells = Array.from({ length: frame.steps }, (_, t) => {
      const cell = s * frame.steps + t;
      return frame.present[cell] === absent ? null : (frame.values[cell] ?? NaN);
    });
    return [labels.key, cells];
  });
  return new Map(rows.filter(([, cells]) => cells.some((cell) => cell !== null)));
}

const leaf = fc.constantFrom(
  "a_total",
  "a_total @ 200",
  "a_total offset 30s",
  "rate(a_total[1m])",
  "rate(a_total[1m] @ 150)",
  "max_over_time(a_total[1m:15s] @ end())",
  "predict_linear(a_total[1m] @ 150, 60)",
  "timestamp(a_total @ 100)",
  "vector(time())",
);
const expression = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    leaf,
    tie("node").map((text) => `sum by (pod) (${text})`),
    tie("node").map((text) => `avg_over_time((${text})[40s:10s])`),
    tie("node").map((text) => `(${text}) * scalar(sum(${text}))`),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `sum by (pod) (${a}) - sum by (pod) (${b})`),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(${a}) or (${b})`),
  ),
})).node;

it("gives the same result optimised as it does not", async () => {
  let rewritten = 0;
  await fc.assert(
    fc.asyncProperty(expression, async (text) => {
      const plain = buildPlan(parse(text), { grid, subqueryStepMs: 60_000 });
      const optimised = hoistInvariants(plain);
      const shared = sharedTexts(optimised);
      if (shared.size > 0 || JSON.stringify(optimised) !== JSON.stringify(plain)) rewritten += 1;
      const wanted = await evaluate(plain, new Set());
      expect(await evaluate(optimised, shared)).toEqual(wanted);
    }),
    { seed: 20_260_604, numRuns: 300 },
  );
  expect(rewritten).toBeGreaterThan(100);
});
