/** Rows of the table `spans` as they are read. */
import type { Span, SpanKind, SpanStatus } from "@skopos/model";
import { attributesOf } from "./attribute-text.ts";
import { eventsOf, linksOf } from "./trace-store.ts";

const noParent = "0".repeat(16);

export type SpanRow = [
  traceId: string,
  spanId: string,
  parentSpanId: string,
  service: string,
  name: string,
  kind: SpanKind,
  startNs: string,
  durationNs: number,
  status: SpanStatus,
  statusMessage: string,
  attributes: Record<string, string>,
  resource: Record<string, string>,
  scopeName: string,
  scopeVersion: string,
  events: string,
  links: string,
  scopeAttributes: Record<string, string>,
  weight: number,
];

const plainExpressions = `lower(hex(trace_id)), lower(hex(span_id)), lower(hex(parent_span_id)), service, name,
  kind, toString(start_ns), duration_ns, status, status_message`;

export const spanExpressions = `${plainExpressions}, attributes, resource, scope_name, scope_version,
  events, links, scope_attributes, weight`;

/** The same with those attributes alone that the bound array `keys` names, and neither events nor links. */
export function leanExpressions(keys: string): string {
  const kept = (column: string) => `mapFilter((key, value) -> has(${keys}, key), ${column})`;
  return `${plainExpressions}, ${kept("attributes")}, ${kept("resource")}, '', '', '', '', map(), weight`;
}

export function spanOf(row: SpanRow): Span {
  return {
    traceId: row[0],
    spanId: row[1],
    parentSpanId: row[2] === noParent ? "" : row[2],
    service: row[3],
    name: row[4],
    kind: row[5],
    startNs: BigInt(row[6]),
    durationNs: row[7],
    status: row[8],
    statusMessage: row[9],
    attributes: attributesOf(row[10]),
    resource: attributesOf(row[11]),
    scopeName: row[12],
    scopeVersion: row[13],
    events: eventsOf(row[14]),
    links: linksOf(row[15]),
    ...(Object.keys(row[16]).length > 0 ? { scopeAttributes: attributesOf(row[16]) } : {}),
    ...(row[17] === 1 ? {} : { weight: row[17] }),
  };
}
