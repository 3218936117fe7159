import type { TraceSummary } from "@skopos/model";
import type { TraceTree } from "./eval/trace-tree.ts";

/** A whole trace in short, as readers sum it up: named after its root, or after the span that starts first. */
export function summarise({ spans, root, durationNs }: TraceTree): Omit<TraceSummary, "matched"> {
  const services = new Map<string, number>();
  const serviceErrors = new Map<string, number>();
  let first = spans[0];
  let errorCount = 0;
  for (const span of spans) {
    services.set(span.service, (services.get(span.service) ?? 0) + 1);
    if (span.status === "error") {
      errorCount += 1;
      serviceErrors.set(span.service, (serviceErrors.get(span.service) ?? 0) + 1);
    }
    if (first && span.startNs < first.startNs) first = span;
  }
  const named = spans[root] ?? first;
  return {
    traceId: first?.traceId ?? "",
    rootService: named?.service ?? "",
    rootName: named?.name ?? "",
    startNs: first?.startNs ?? 0n,
    durationNs,
    spanCount: spans.length,
    errorCount,
    services: Object.fromEntries(services),
    serviceErrors: Object.fromEntries(serviceErrors),
  };
}
