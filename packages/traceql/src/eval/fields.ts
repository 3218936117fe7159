/** What a field is on a span of a trace. The service's name is the span's service, whatever the resource has. */
import type { Attributes, AttributeValue, Span } from "@skopos/model";
import { TraceqlError } from "../syntax/error.ts";
import type { Field } from "../syntax/ast.ts";
import type { TraceTree } from "./trace-tree.ts";
import { Several, type Value } from "./values.ts";

export type Getter = (span: Span, tree: TraceTree, index: number) => Value;

const intrinsicGetters: Readonly<Record<string, Getter>> = {
  name: (span) => span.name,
  status: (span) => span.status,
  statusMessage: (span) => span.statusMessage,
  kind: (span) => span.kind,
  duration: (span) => span.durationNs,
  childCount: (_, tree, index) => tree.childCount[index],
  spanID: (span) => span.spanId,
  parentID: (span) => span.parentSpanId,
  traceDuration: (_, tree) => tree.durationNs,
  rootName: (_, tree) => tree.spans[tree.root]?.name,
  rootServiceName: (_, tree) => tree.spans[tree.root]?.service,
  traceID: (span) => span.traceId,
  eventName: (span) => several(span.events.map(({ name }) => name)),
  eventTimeSinceStart: (span) =>
    several(span.events.map(({ timeNs }) => Number(timeNs - span.startNs))),
  linkTraceID: (span) => several(span.links.map(({ traceId }) => traceId)),
  linkSpanID: (span) => several(span.links.map(({ spanId }) => spanId)),
  instrumentationName: (span) => span.scopeName,
  instrumentationVersion: (span) => span.scopeVersion,
  nestedSetLeft: (_, tree, index) => tree.left[index],
  nestedSetRight: (_, tree, index) => tree.right[index],
  nestedSetParent: (span, tree, index) => {
    const parent = tree.parent[index] ?? -1;
    if (parent >= 0) return tree.left[parent];
    return span.parentSpanId === "" ? -1 : 0;
  },
};

export function isService({ scope, name }: Field): boolean {
  return name === "service.name" && (scope === "resource" || scope === "any");
}

export function getter(field: Field): Getter {
  const { scope, name } = field;
  if (isService(field)) return (span) => span.service;
  switch (scope) {
    case "intrinsic": {
      const get = intrinsicGetters[name];
      if (!get) throw new TraceqlError(`${name} is not evaluated`, { line: 1, column: 1 });
      return get;
    }
    case "span":
      return (span) => own(span.attributes, name);
    case "resource":
      return (span) => own(span.resource, name);
    case "instrumentation":
      return (span) => own(span.scopeAttributes, name);
    case "any":
      return (span) =>
        own(span.attributes, name) ?? own(span.resource, name) ?? own(span.scopeAttributes, name);
    case "event":
      return (span) => severalOf(span.events, name);
    case "link":
      return (span) => severalOf(span.links, name);
  }
}

function own(attributes: Attributes | undefined, name: string): AttributeValue | undefined {
  return attributes && Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

function severalOf(items: readonly { readonly attributes: Attributes }[], name: string): Value {
  if (items.length === 0) return undefined;
  return several(items.flatMap(({ attributes }) => wrapped(own(attributes, name))));
}

/** In a list of its own, so that a list among the values stays one value. */
function wrapped(value: AttributeValue | undefined): AttributeValue[] {
  return value === undefined ? [] : [value];
}

function several(values: readonly AttributeValue[]): Value {
  return values.length === 0 ? undefined : new Several(values);
}
