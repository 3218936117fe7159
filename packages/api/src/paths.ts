/**
 * The web's stable addresses, once: server and CLI write links with these, the web routes by the same patterns.
 * Times in addresses are unix milliseconds (`from`, `to`); without them a page shows its relative range.
 */
import type { EntityRef } from "./common.ts";

export interface PathRange {
  readonly from: number;
  readonly to: number;
}

function withQuery(path: string, query: Record<string, string | undefined>, range?: PathRange) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, value);
  if (range) {
    search.set("from", `${Math.round(range.from)}`);
    search.set("to", `${Math.round(range.to)}`);
  }
  return search.size > 0 ? `${path}?${search.toString()}` : path;
}

/** `serviceId` is "namespace/name". */
function service(serviceId: string, tab?: string, range?: PathRange): string {
  const path = serviceId.split("/").map(encodeURIComponent).join("/");
  return withQuery(`/mesh/services/${path}`, { tab }, range);
}

/** Paths of the web's pages, with what they open at. */
export const webPaths = {
  now: () => "/",
  incidents: () => "/incidents",
  incident: (id: string) => `/incidents/${encodeURIComponent(id)}`,
  mesh: (query: { node?: string; edge?: string; ns?: string } = {}, range?: PathRange) =>
    withQuery("/mesh", query, range),
  service,
  traces: (query?: string, range?: PathRange) => withQuery("/traces", { q: query }, range),
  traceComparison: (query: string, range?: PathRange) =>
    withQuery("/traces/compare", { q: query }, range),
  traceGraph: (query: { edge?: string; node?: string; view?: string } = {}, range?: PathRange) =>
    withQuery("/traces/graph", query, range),
  traceServices: () => "/traces/services",
  trace: (traceId: string, spanId?: string) =>
    withQuery(`/traces/${encodeURIComponent(traceId)}`, { span: spanId }),
  logs: (query?: string, range?: PathRange) => withQuery("/logs", { q: query }, range),
  /** Not "/metrics", where Prometheus scrapes this program itself. */
  metrics: (query?: string, range?: PathRange) => withQuery("/query", { q: query }, range),
  targets: () => "/targets",
  cardinality: () => "/cardinality",
  rules: () => "/rules",
  alerts: (rule?: string) => withQuery("/alerts", { rule }),
  changes: (query: { id?: string; service?: string; q?: string } = {}, range?: PathRange) =>
    withQuery("/changes", query, range),
  practice: () => "/practice",
} as const;

/** The home page of an entity. */
export function entityPath(entity: EntityRef): string {
  switch (entity.kind) {
    case "service":
    case "workload":
    case "node":
      return entity.id.includes("/") ? webPaths.service(entity.id) : webPaths.mesh();
    case "pod":
      return webPaths.logs(`{pod="${entity.name}"}`);
    case "namespace":
      return webPaths.mesh({ ns: entity.name });
    case "edge":
      return webPaths.mesh({ edge: entity.id });
    case "config":
      return webPaths.changes({ q: entity.name });
    case "incident":
      return webPaths.incident(entity.id);
    case "trace":
      return webPaths.trace(entity.id);
    case "rule":
      return webPaths.alerts(entity.name);
    default:
      return webPaths.changes({ id: entity.id });
  }
}
