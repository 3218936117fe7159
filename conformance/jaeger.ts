/**
 * Jaeger's storage queries: every trace is taken in as OTLP JSON, carried into an embedded ClickHouse, and each query must
 * find the traces named beside it and no others.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { decodeOtlpTraces } from "@skopos/ingest";
import type { Span } from "@skopos/model";
import { createTraceEngine, jaegerQuery } from "@skopos/traceql";
import type { SuiteOutcome } from "../scripts/conformance.ts";
import { openEmbeddedTraces } from "../test/traces/embedded-store.ts";

interface QueryCase {
  readonly Caption: string;
  readonly Query: {
    readonly ServiceName: string;
    readonly OperationName: string;
    readonly Tags: Readonly<Record<string, string | number | boolean>> | null;
    readonly StartTimeMin: string;
    readonly StartTimeMax: string;
    /** Nanoseconds; 0 for none. */
    readonly DurationMin: number;
    readonly DurationMax: number;
    readonly NumTraces: number;
  };
  readonly ExpectedFixtures: readonly string[];
}

const left: Readonly<Record<string, string>> = {
  "Tag escaped operator + Operation name + max Duration":
    "tags as Elasticsearch patterns: Jaeger runs it on that storage alone",
  "Tag wildcard regex": "tags as Elasticsearch patterns: Jaeger runs it on that storage alone",
};

function textOf({ Query: query }: QueryCase): string {
  const tags = Object.entries(query.Tags ?? {}).map(([key, value]) => [key, String(value)]);
  return jaegerQuery({
    service: query.ServiceName,
    ...(query.OperationName === "" ? {} : { operation: query.OperationName }),
    ...(query.DurationMin === 0 ? {} : { minDurationNs: query.DurationMin }),
    ...(query.DurationMax === 0 ? {} : { maxDurationNs: query.DurationMax }),
    tags: Object.fromEntries(tags) as Record<string, string>,
  });
}

function readTraces(folder: string): Map<string, Span[]> {
  const traces = new Map<string, Span[]>();
  for (const file of readdirSync(folder).sort()) {
    const body = readFileSync(path.join(folder, file));
    traces.set(path.basename(file, ".json"), decodeOtlpTraces(body, "application/json").spans);
  }
  return traces;
}

const idsOf = (spans: readonly Span[]) => spans.map(({ traceId }) => traceId);

export async function run(dir: string): Promise<SuiteOutcome> {
  const outcome: SuiteOutcome = { passed: 0, failures: [], skipped: {} };
  const folder = path.join(dir, "jaeger");
  const fixtures = readTraces(path.join(folder, "traces"));
  const store = await openEmbeddedTraces();
  try {
    await store.append([...fixtures.values()].flat());
    const engine = createTraceEngine(store.reader);
    for (const file of ["queries.json", "queries_es.json"]) {
      const cases = JSON.parse(readFileSync(path.join(folder, file), "utf8")) as QueryCase[];
      for (const each of cases) {
        const skip = left[each.Caption];
        if (skip !== undefined) {
          outcome.skipped[each.Caption] = skip;
          continue;
        }
        const found = await engine.search(textOf(each), {
          startMs: Date.parse(each.Query.StartTimeMin),
          endMs: Date.parse(each.Query.StartTimeMax),
          limit: each.Query.NumTraces,
        });
        const ids = found.traces.map(({ traceId }) => traceId).sort();
        const wanted = each.ExpectedFixtures.flatMap((name) => idsOf(fixtures.get(name) ?? []));
        const expected = [...new Set(wanted)].sort();
        if (expected.length > 0 && ids.join() === expected.join()) outcome.passed += 1;
        else
          outcome.failures.push(
            `${each.Caption}: found ${ids.join(", ") || "nothing"} instead of ${expected.join(", ")}`,
          );
      }
    }
  } finally {
    await store.close();
  }
  return outcome;
}
