/** The words of TraceQL: intrinsics with their types, scopes, functions. Source: Tempo's documentation of TraceQL. */
import { spanKinds, spanStatuses } from "@skopos/model";
import type { Field } from "./ast.ts";

type FieldType = "string" | "int" | "duration" | "status" | "kind";

export interface Intrinsic {
  readonly type: FieldType;
  /** As it is written with its scope, `span:name`; absent where it has no such form. */
  readonly scoped?: string;
  /** As it is written without; absent where it has no such form. */
  readonly plain?: string;
}

/** By the name that a `Field` has. */
export const intrinsics: Readonly<Record<string, Intrinsic>> = {
  name: { type: "string", scoped: "span:name", plain: "name" },
  status: { type: "status", scoped: "span:status", plain: "status" },
  statusMessage: { type: "string", scoped: "span:statusMessage", plain: "statusMessage" },
  kind: { type: "kind", scoped: "span:kind", plain: "kind" },
  duration: { type: "duration", scoped: "span:duration", plain: "duration" },
  childCount: { type: "int", scoped: "span:childCount", plain: "childCount" },
  spanID: { type: "string", scoped: "span:id" },
  parentID: { type: "string", scoped: "span:parentID" },
  traceDuration: { type: "duration", scoped: "trace:duration", plain: "traceDuration" },
  rootName: { type: "string", scoped: "trace:rootName", plain: "rootName" },
  rootServiceName: { type: "string", scoped: "trace:rootService", plain: "rootServiceName" },
  traceID: { type: "string", scoped: "trace:id" },
  eventName: { type: "string", scoped: "event:name" },
  eventTimeSinceStart: { type: "duration", scoped: "event:timeSinceStart" },
  linkTraceID: { type: "string", scoped: "link:traceID" },
  linkSpanID: { type: "string", scoped: "link:spanID" },
  instrumentationName: { type: "string", scoped: "instrumentation:name" },
  instrumentationVersion: { type: "string", scoped: "instrumentation:version" },
  nestedSetLeft: { type: "int", plain: "nestedSetLeft" },
  nestedSetRight: { type: "int", plain: "nestedSetRight" },
  nestedSetParent: { type: "int", plain: "nestedSetParent" },
};

function namesBy(form: "scoped" | "plain"): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [name, intrinsic] of Object.entries(intrinsics)) {
    const written = intrinsic[form];
    if (written !== undefined) names.set(written, name);
  }
  return names;
}

export const scopedIntrinsics = namesBy("scoped");
export const plainIntrinsics = namesBy("plain");

export const attributeScopes = ["span", "resource", "event", "link", "instrumentation"] as const;
/** Scopes of which intrinsics are written with a colon. */
export const intrinsicScopes = ["span", "trace", "event", "link", "instrumentation"] as const;
export const aggregateWords = ["count", "avg", "min", "max", "sum"] as const;
export const metricWords = [
  "rate",
  "count_over_time",
  "min_over_time",
  "max_over_time",
  "avg_over_time",
  "sum_over_time",
  "quantile_over_time",
  "histogram_over_time",
] as const;

/** Everything that may be completed, by what it is. */
export const completions = {
  intrinsics: [...scopedIntrinsics.keys(), ...plainIntrinsics.keys()].sort(),
  scopes: attributeScopes.map((scope) => `${scope}.`),
  values: [...spanStatuses, ...spanKinds, "true", "false", "nil"],
  stages: ["by", "coalesce", "select", ...aggregateWords],
  metrics: [...metricWords, "compare", "topk", "bottomk"],
} as const;

const bareName = /^[^\s{}()=~!<>&|^,"`\\]+$/;

/** The field as a query writes it: `span.http.method`, `."foo bar"`, `duration`. */
export function formatField({ scope, name, parent }: Field): string {
  const prefix = parent ? "parent." : "";
  if (scope === "intrinsic") {
    if (name === "parent") return "parent";
    const { plain, scoped } = intrinsics[name] ?? {};
    return prefix + (plain ?? scoped ?? name);
  }
  const key = bareName.test(name) ? name : `"${name.replaceAll(/["\\]/g, "\\$&")}"`;
  if (scope === "any") return parent ? `parent.${key}` : `.${key}`;
  return `${prefix}${scope}.${key}`;
}
