/**
 * LogQL scripts in upstream's format. What an eval needs and the engine does not have is listed here with its reason; an
 * eval that fails for any other reason is a failure.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type EvalOutcome, runScript } from "@skopos/logql/testing";
import type { SuiteOutcome } from "../scripts/conformance.ts";

/** The first that applies. */
const left: readonly {
  reason: string;
  applies: (outcome: EvalOutcome, file: string) => boolean;
}[] = [];

/** `dir` holds `logql/*.logqltest`. */
export async function run(dir: string): Promise<SuiteOutcome> {
  const outcome: SuiteOutcome = { passed: 0, failures: [], skipped: {} };
  const folder = path.join(dir, "logql");
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".logqltest"))
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
