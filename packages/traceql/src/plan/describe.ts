/** Predicates in words, for people who ask what a store was asked. */
import type { SpanPredicate, TracePredicate } from "@skopos/model";

export function describePredicate(predicate: SpanPredicate): string {
  switch (predicate.type) {
    case "condition": {
      const { field, op, value } = predicate;
      const name = field.scope === "intrinsic" ? field.name : `${field.scope}.${field.name}`;
      return op === "exists" || op === "absent"
        ? `${name} ${op}`
        : `${name} ${op} ${JSON.stringify(value)}`;
    }
    case "not":
      return `not (${describePredicate(predicate.of)})`;
    default:
      return joined(predicate.type, predicate.of.map(describePredicate));
  }
}

export function describeTraces(predicate: TracePredicate): string {
  if (predicate.type === "has") return `a span where ${describePredicate(predicate.where)}`;
  return joined(predicate.type, predicate.of.map(describeTraces));
}

function joined(type: "all" | "any", parts: readonly string[]): string {
  if (parts.length === 0) return type === "all" ? "anything" : "nothing";
  if (parts.length === 1) return parts[0] ?? "";
  return `(${parts.join(type === "all" ? " and " : " or ")})`;
}
