/** TraceQL over a trace reader. */
import type { TraceEngine, TraceReader } from "@skopos/model";
import { queryMetrics } from "./metrics.ts";
import { searchTraces } from "./search.ts";
import type { Query } from "./syntax/ast.ts";
import { TraceqlError } from "./syntax/error.ts";
import { parse } from "./syntax/parse.ts";
import { validate } from "./syntax/validate.ts";
import { readTags, readTagValues } from "./tags.ts";

/** Spans of the traces that are given out whole at once. */
const answerSpansMax = 500_000;
const start = { line: 1, column: 1 };

/** An empty query finds every trace of the range. */
export function createTraceEngine(reader: TraceReader): TraceEngine {
  return {
    trace: (...request) => reader.trace(...request),
    traces: (traceIds, signal, within) =>
      reader.traces(traceIds, {
        spansMax: answerSpansMax,
        ...(signal ? { signal } : {}),
        ...(within ? { within } : {}),
      }),
    services: (startMs, endMs) => reader.services(startMs, endMs),
    operations: (service, startMs, endMs) => reader.operations(service, startMs, endMs),
    async search(query, request) {
      const parsed = understood(query.trim() === "" ? "{ }" : query);
      if (parsed.type !== "spans")
        throw new TraceqlError("this query makes series, and finds no traces", start);
      return searchTraces(reader, parsed.stages, request);
    },
    async metrics(query, request) {
      const parsed = understood(query);
      if (parsed.type !== "metrics")
        throw new TraceqlError("this query finds traces: add | rate() to make series", start);
      return queryMetrics(reader, parsed.expr, request);
    },
    tags: (request) => readTags(reader, request),
    tagValues: (tag, request) => readTagValues(reader, tag, request),
  };
}

function understood(text: string): Query {
  const query = parse(text);
  validate(query);
  return query;
}
