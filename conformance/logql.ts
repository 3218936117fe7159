/** LogQL scripts in upstream's format; every eval must pass. */
import path from "node:path";
import { runScript } from "@skopos/logql/testing";
import type { SuiteOutcome } from "../scripts/conformance.ts";
import { runScripts } from "../scripts/script-suite.ts";

/** `dir` holds `logql/*.logqltest`. */
export function run(dir: string): Promise<SuiteOutcome> {
  return runScripts(path.join(dir, "logql"), ".logqltest", runScript);
}
