/** Tempo's example queries: what is valid, what does not parse, what has no meaning, what is parsed and not supported. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { messageOf } from "@skopos/model";
import { parse, TraceqlError, UnsupportedError, validate } from "@skopos/traceql/syntax";
import type { SuiteOutcome } from "../scripts/conformance.ts";

type Verdict = "valid" | "parse_fails" | "validate_fails" | "unsupported";

function judge(query: string): { verdict: Verdict; message: string } {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(query);
  } catch (error) {
    if (!(error instanceof TraceqlError)) throw error;
    return { verdict: "parse_fails", message: error.message };
  }
  try {
    validate(parsed);
  } catch (error) {
    if (!(error instanceof TraceqlError)) throw error;
    const verdict = error instanceof UnsupportedError ? "unsupported" : "validate_fails";
    return { verdict, message: error.message };
  }
  return { verdict: "valid", message: "" };
}

export async function run(dir: string): Promise<SuiteOutcome> {
  const outcome: SuiteOutcome = { passed: 0, failures: [], skipped: {} };
  const text = readFileSync(path.join(dir, "traceql", "cases.json"), "utf8");
  const cases = JSON.parse(text) as Record<Verdict, string[]>;
  for (const wanted of ["valid", "parse_fails", "validate_fails", "unsupported"] as const) {
    for (const query of cases[wanted]) {
      try {
        const { verdict, message } = judge(query);
        if (verdict === wanted) outcome.passed += 1;
        else outcome.failures.push(`${query}: ${verdict} instead of ${wanted}: ${message}`);
      } catch (error) {
        outcome.failures.push(`${query}: ${messageOf(error)}`);
      }
    }
  }
  return outcome;
}
