/** TraceQL over a trace reader. */
import type { TraceEngine, TraceReader, TraceSummary } from "@skopos/model";
import { planSearches } from "./plan.ts";
import { parse } from "./syntax/parse.ts";

/** An empty query finds every trace of the range. */
export function createTraceEngine(reader: TraceReader): TraceEngine {
  return {
    trace: (traceId, signal) => reader.trace(traceId, signal),
    services: (startMs, endMs) => reader.services(startMs, endMs),
    operations: (service, startMs, endMs) => reader.operations(service, startMs, endMs),
    async search(query, range) {
      const searches = planSearches(query.trim() === "" ? { filter: undefined } : parse(query));
      const answers = await Promise.all(
        searches.map((conditions) => reader.search({ ...range, conditions })),
      );
      const found = new Map<string, TraceSummary>();
      for (const summary of answers.flat()) found.set(summary.traceId, summary);
      return [...found.values()]
        .sort((a, b) => (a.startNs < b.startNs ? 1 : -1))
        .slice(0, range.limit);
    },
  };
}
