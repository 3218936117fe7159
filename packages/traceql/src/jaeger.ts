/**
 * Jaeger's search as a TraceQL query. A tag is looked for on the span, its resource (Jaeger's process), its events (logs),
 * its links and its instrumentation scope, each tag by itself; Jaeger knows values as texts, so a text that reads as a number
 * or a truth value finds those too. Tags that Jaeger makes of OpenTelemetry's fields are found in the fields.
 */
import { spanKinds } from "@skopos/model";
import { attributeScopes, formatField } from "./syntax/fields.ts";
import { formatDuration, quoted } from "./syntax/format.ts";

export interface JaegerSearch {
  readonly service?: string;
  readonly operation?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Inclusive. */
  readonly minDurationNs?: number;
  readonly maxDurationNs?: number;
}

/** All of it must hold on one span. */
export function jaegerQuery(search: JaegerSearch): string {
  const { service, operation, tags = {}, minDurationNs, maxDurationNs } = search;
  const conditions: string[] = [];
  if (service !== undefined) conditions.push(`resource.service.name = ${quoted(service)}`);
  if (operation !== undefined) conditions.push(`name = ${quoted(operation)}`);
  if (minDurationNs !== undefined) conditions.push(`duration >= ${formatDuration(minDurationNs)}`);
  if (maxDurationNs !== undefined) conditions.push(`duration <= ${formatDuration(maxDurationNs)}`);
  for (const [key, value] of Object.entries(tags)) conditions.push(tagCondition(key, value));
  return conditions.length === 0 ? "{ }" : `{ ${conditions.join(" && ")} }`;
}

function tagCondition(key: string, value: string): string {
  const alternatives = fieldConditions(key, value);
  for (const scope of attributeScopes) {
    const field = formatField({ scope, name: key, parent: false });
    for (const literal of literals(value)) alternatives.push(`${field} = ${literal}`);
  }
  return `(${alternatives.join(" || ")})`;
}

function literals(value: string): string[] {
  const found = [quoted(value)];
  if (value === "true" || value === "false") found.push(value);
  // A number in the form that it would be shown in.
  if (/^-?\d+(?:\.\d+)?$/.test(value) && String(Number(value)) === value) found.push(value);
  return found;
}

function fieldConditions(key: string, value: string): string[] {
  switch (key) {
    case "error":
      return value === "true" ? ["status = error"] : [];
    case "otel.status_code":
      return value === "ERROR" || value === "OK" ? [`status = ${value.toLowerCase()}`] : [];
    case "otel.status_description":
      return [`statusMessage = ${quoted(value)}`];
    case "span.kind":
      return spanKinds.some((word) => word === value) ? [`kind = ${value}`] : [];
    case "otel.scope.name":
    case "otel.library.name":
      return [`instrumentation:name = ${quoted(value)}`];
    case "otel.scope.version":
    case "otel.library.version":
      return [`instrumentation:version = ${quoted(value)}`];
    default:
      return [];
  }
}
