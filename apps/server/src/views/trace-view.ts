/**
 * A trace as a page shows it: depth-first order, exclusive time, the critical path, and where its error began.
 *
 * Exclusive time is a span's duration minus the union of its children's intervals inside it. The critical path is walked from
 * the end of the root backwards: at each moment it is the child that finished last before it (as Jaeger does; fire-and-forget
 * children that outlive their parent do not count beyond the parent's end).
 */
import type { EntityRef, SpanJson, Trace } from "@skopos/api";
import type { Span } from "@skopos/model";

interface Node {
  readonly span: Span;
  readonly children: Node[];
  readonly depth: number;
  exclusiveNs: number;
  critical: boolean;
}

const endNs = (span: Span): bigint => span.startNs + BigInt(Math.round(span.durationNs));

function byStart(a: Node, b: Node): number {
  if (a.span.startNs !== b.span.startNs) return a.span.startNs < b.span.startNs ? -1 : 1;
  return b.span.durationNs - a.span.durationNs;
}

/** Hangs every span below its parent; orphans and members of parent cycles become roots. */
function buildForest(spans: readonly Span[]): Node[] {
  const byId = new Map<string, Node>();
  for (const span of spans)
    byId.set(span.spanId, { span, children: [], depth: 0, exclusiveNs: 0, critical: false });
  const roots: Node[] = [];
  for (const node of byId.values()) {
    const parent = byId.get(node.span.parentSpanId);
    if (parent && !isAncestor(byId, node.span.spanId, parent.span)) parent.children.push(node);
    else roots.push(node);
  }
  for (const node of byId.values()) node.children.sort(byStart);
  return roots.sort(byStart);
}

function isAncestor(byId: ReadonlyMap<string, Node>, spanId: string, from: Span): boolean {
  const seen = new Set<string>();
  let at: Span | undefined = from;
  while (at && !seen.has(at.spanId)) {
    if (at.spanId === spanId) return true;
    seen.add(at.spanId);
    at = byId.get(at.parentSpanId)?.span;
  }
  return false;
}

function exclusiveNs(node: Node): number {
  const { span } = node;
  let covered = 0n;
  let reached = span.startNs;
  for (const { span: child } of node.children) {
    const from = child.startNs > reached ? child.startNs : reached;
    const to = endNs(child) < endNs(span) ? endNs(child) : endNs(span);
    if (to > from) {
      covered += to - from;
      reached = to;
    }
  }
  return Math.max(0, span.durationNs - Number(covered));
}

function markCritical(root: Node): void {
  const pending: { node: Node; until: bigint }[] = [{ node: root, until: endNs(root.span) }];
  for (let item = pending.pop(); item; item = pending.pop()) {
    const { node } = item;
    node.critical = true;
    let until = item.until < endNs(node.span) ? item.until : endNs(node.span);
    const lastFirst = [...node.children].sort((a, b) => (endNs(a.span) < endNs(b.span) ? 1 : -1));
    for (const child of lastFirst) {
      if (endNs(child.span) > until || child.span.startNs < node.span.startNs) continue;
      pending.push({ node: child, until });
      until = child.span.startNs;
    }
  }
}

function errorOriginOf(order: readonly { node: Node; depth: number }[]): string | null {
  let best: { node: Node; depth: number } | undefined;
  for (const item of order) {
    const deeper = !best || item.depth > best.depth;
    const failsBelow = item.node.children.some((child) => child.span.status === "error");
    if (item.node.span.status === "error" && !failsBelow && deeper) best = item;
  }
  return best?.node.span.spanId ?? null;
}

function entityOf(span: Span): EntityRef | null {
  const [name = "", namespace] = span.service.split(".");
  if (namespace === undefined) return null;
  return { kind: "service", id: `${namespace}/${name}`, name, namespace };
}

/** `spans` are those of one trace, in any order. */
export function toTraceView(traceId: string, spans: readonly Span[]): Trace {
  const roots = buildForest(spans);
  const order: { node: Node; depth: number }[] = [];
  const stack = [...roots].reverse().map((node) => ({ node, depth: 0 }));
  for (let item = stack.pop(); item; item = stack.pop()) {
    order.push(item);
    const { node, depth } = item;
    for (const child of [...node.children].reverse()) stack.push({ node: child, depth: depth + 1 });
    node.exclusiveNs = exclusiveNs(node);
  }
  const [main] = roots;
  if (main) markCritical(main);
  const startNs = spans.reduce(
    (least, span) => (span.startNs < least ? span.startNs : least),
    spans[0]?.startNs ?? 0n,
  );
  const lastNs = spans.reduce((most, span) => (endNs(span) > most ? endNs(span) : most), startNs);
  const offsetMs = (timeNs: bigint) => Number(timeNs - startNs) / 1e6;
  const requestId = spans
    .map((span) => span.attributes["guid:x-request-id"])
    .find((id) => typeof id === "string");
  return {
    traceId,
    startNs: startNs.toString(),
    durationMs: Number(lastNs - startNs) / 1e6,
    spans: order.map(({ node }) => toSpanJson(node, offsetMs)),
    errorOrigin: errorOriginOf(order),
    requestId: typeof requestId === "string" ? requestId : null,
  };
}

function toSpanJson(node: Node, offsetMs: (timeNs: bigint) => number): SpanJson {
  const { span } = node;
  return {
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    service: span.service,
    name: span.name,
    kind: span.kind,
    startNs: span.startNs.toString(),
    offsetMs: offsetMs(span.startNs),
    durationMs: span.durationNs / 1e6,
    exclusiveMs: node.exclusiveNs / 1e6,
    status: span.status,
    statusMessage: span.statusMessage,
    attributes: span.attributes,
    resource: span.resource,
    events: span.events.map((event) => ({
      offsetMs: offsetMs(event.timeNs),
      name: event.name,
      attributes: event.attributes,
    })),
    critical: node.critical,
    entity: entityOf(span),
  };
}
