/**
 * PromQL scripts in upstream's format. What an eval needs and the engine does not have yet is listed here with its reason;
 * an eval that fails for any other reason is a failure.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type EvalOutcome, runScript } from "@skopos/promql/testing";
import type { SuiteOutcome } from "../scripts/conformance.ts";

/** The first that applies. */
const left: readonly {
  reason: string;
  applies: (outcome: EvalOutcome, file: string) => boolean;
}[] = [
  {
    reason:
      "counter reset hints that upstream makes while it reads histograms for their counts alone",
    applies: ({ query }) =>
      /^histogram_count\((sum|avg)(_over_time)?\((metric|mixed|reset)\b/.test(query),
  },
  {
    reason: "start timestamps: the store keeps none",
    applies: (_, file) => file === "start_timestamps.test",
  },
  {
    reason: "anchored and smoothed selectors (experimental) of native histograms",
    applies: ({ query, failure = "" }) =>
      /\b(anchored|smoothed)\b/.test(query) &&
      failure.includes("not supported yet for native histograms"),
  },
];

export async function run(dir: string): Promise<SuiteOutcome> {
  const outcome: SuiteOutcome = { passed: 0, failures: [], skipped: {} };
  const folder = path.join(dir, "promql");
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".test"))
    .sort()) {
    for (const result of await runScript(readFileSync(path.join(folder, file), "utf8"))) {
      if (result.failure === undefined) {
        outcome.passed += 1;
        continue;
      }
      const place = `${file}:${result.line}`;
      const skip = left.find(({ applies }) => applies(result, file));
      if (skip) outcome.skipped[place] = skip.reason;
      else outcome.failures.push(`${place}: ${result.query}: ${result.failure}`);
    }
  }
  return outcome;
}
