/** Runs the OpenMetrics project's valid and invalid pages through the parser of `packages/ingest`. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { PageLayout, parseExposition } from "@skopos/ingest";
import { messageOf, SkoposError } from "@skopos/model";
import type { SuiteOutcome } from "../scripts/conformance.ts";

interface Case {
  readonly name: string;
  readonly shouldParse: boolean;
  readonly text: string;
}

const contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** `dir` holds `openmetrics/cases.json`. */
export async function run(dir: string): Promise<SuiteOutcome> {
  const file = path.join(dir, "openmetrics", "cases.json");
  const cases = JSON.parse(await readFile(file, "utf8")) as Case[];
  const failures: string[] = [];
  for (const { name, shouldParse, text } of cases) {
    const verdict = judge(text);
    if ((verdict === undefined) !== shouldParse)
      failures.push(`${name}: ${verdict ?? "parsed, though it must not"}`);
  }
  return { passed: cases.length - failures.length, failures, skipped: {} };
}

/** The reason why a page was refused; undefined when it parsed, also a second time from the remembered layout. */
function judge(text: string): string | undefined {
  const layout = new PageLayout();
  try {
    const bytes = new TextEncoder().encode(text);
    parseExposition(bytes, contentType, layout);
    parseExposition(bytes, contentType, layout);
    return undefined;
  } catch (error) {
    if (!(error instanceof SkoposError)) throw error;
    return messageOf(error);
  }
}
