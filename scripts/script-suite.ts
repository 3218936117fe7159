/** Runs a suite of test scripts: every eval of every file counts; what may fail is named with a reason, anything else is a failure. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { SuiteOutcome } from "./conformance.ts";

interface EvalOutcome {
  readonly line: number;
  readonly query: string;
  /** Undefined: passed. */
  readonly failure: string | undefined;
}

/** What is not expected to pass yet. */
export interface Leave {
  readonly reason: string;
  readonly applies: (outcome: EvalOutcome, file: string) => boolean;
}

/** `folder` holds the scripts, whose names end with `suffix`. Of `left` the first that applies gives the reason. */
export async function runScripts(
  folder: string,
  suffix: string,
  runScript: (text: string) => Promise<readonly EvalOutcome[]>,
  left: readonly Leave[] = [],
): Promise<SuiteOutcome> {
  const outcome: SuiteOutcome = { passed: 0, failures: [], skipped: {} };
  const files = readdirSync(folder).filter((name) => name.endsWith(suffix));
  for (const file of files.sort()) {
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
