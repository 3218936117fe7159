/**
 * PromQL scripts in upstream's format. What an eval needs and the engine does not have yet is listed here with its reason;
 * an eval that fails for any other reason is a failure.
 */
import path from "node:path";
import { runScript } from "@skopos/promql/testing";
import type { SuiteOutcome } from "../scripts/conformance.ts";
import { type Leave, runScripts } from "../scripts/script-suite.ts";

/** The first that applies. */
const left: readonly Leave[] = [
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
];

/** `dir` holds `promql/*.test`. */
export function run(dir: string): Promise<SuiteOutcome> {
  return runScripts(path.join(dir, "promql"), ".test", runScript, left);
}
