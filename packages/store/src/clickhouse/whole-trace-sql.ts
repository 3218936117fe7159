/**
 * Conditions on what a trace is as a whole, as SQL that a span of it satisfies: the name and service of its root, which is
 * the span without a parent that starts first, and how long it lasted. A trace is looked at whole when it has a span in the
 * time in question: `trace_index` tells how far the spans of such traces reach beyond it, up to a day.
 */
import type { Bindings } from "./sql.ts";

export interface TimeSpan {
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

const dayNs = 86_400_000_000_000n;
const noParent = "parent_span_id = toFixedString('', 8)";
const firstRoot = (column: string) =>
  ({ among: noParent, value: `argMin(${column}, (start_ns, -toInt64(duration_ns)))` }) as const;

/** An aggregate over the spans of a trace, or over those of its spans that `among` lets through. */
const properties: Readonly<Record<string, { readonly among: string; readonly value: string }>> = {
  rootName: firstRoot("name"),
  rootService: firstRoot("service"),
  traceDurationNs: {
    among: "1",
    value: "max(start_ns + toInt64(duration_ns)) - min(start_ns)",
  },
};

export function isOfWholeTrace(name: string): boolean {
  return Object.hasOwn(properties, name);
}

/** Spans of traces that have the property, and on whose value `test` holds. */
export function wholeTraceSql(
  bindings: Bindings,
  within: TimeSpan,
  name: string,
  test: (value: string) => string = () => "1",
): string {
  const { among = "0", value = "0" } = properties[name] ?? {};
  const reach = reachSql(bindings, within);
  return `trace_id IN (SELECT trace_id FROM spans
    WHERE start_ns BETWEEN tupleElement(${reach}, 1) AND tupleElement(${reach}, 2) AND ${among}
    GROUP BY trace_id HAVING ${test(value)})`;
}

/** From when until when the traces of the time have spans. */
function reachSql(bindings: Bindings, { fromNs, toNs }: TimeSpan): string {
  const day = (ns: bigint) => `toDate(${bindings.bind("Int64", ns / dayNs)})`;
  return `(SELECT (min(first), max(last)) FROM (
      SELECT min(first_ns) AS first, max(last_ns) AS last FROM trace_index
      WHERE day BETWEEN ${day(fromNs - dayNs)} AND ${day(toNs + dayNs)}
      GROUP BY trace_id
      HAVING first <= ${bindings.bind("Int64", toNs)} AND last >= ${bindings.bind("Int64", fromNs)}
    ))`;
}
