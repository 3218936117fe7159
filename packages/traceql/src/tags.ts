/** What can be asked for: names of attributes, and the values that fields have. */
import {
  type AttributeValue,
  type SpanField,
  spanKinds,
  type SpanPredicate,
  spanStatuses,
  type TagNames,
  type TagScope,
  tagScopes,
  type TagValue,
  type TraceReader,
  type TraceTimeRange,
} from "@skopos/model";
import { boundOf, storedField } from "./plan/predicate.ts";
import type { Field, Stage } from "./syntax/ast.ts";
import { TraceqlError } from "./syntax/error.ts";
import { intrinsics } from "./syntax/fields.ts";
import { formatDuration } from "./syntax/format.ts";
import { parse, parseField } from "./syntax/parse.ts";

const namesMax = 5000;
const valuesUsual = 1000;

export async function readTags(
  reader: TraceReader,
  request: TraceTimeRange & { scope?: TagScope; signal?: AbortSignal },
): Promise<TagNames[]> {
  const { scope: only, ...range } = request;
  const found = await Promise.all(
    (only === undefined ? tagScopes : [only]).map(async (scope) => {
      if (scope === "intrinsic") return { scope, tags: intrinsicNames() };
      const names = await reader.tagNames({ ...range, scope, limit: namesMax });
      const isResource = scope === "resource" && !names.includes("service.name");
      return { scope, tags: isResource ? [...names, "service.name"].sort() : names };
    }),
  );
  return found.filter(({ tags }) => tags.length > 0);
}

function intrinsicNames(): string[] {
  return Object.values(intrinsics)
    .map(({ plain, scoped }) => plain ?? scoped ?? "")
    .sort();
}

export async function readTagValues(
  reader: TraceReader,
  tag: string,
  request: TraceTimeRange & { query?: string; limit?: number; signal?: AbortSignal },
): Promise<TagValue[]> {
  const field = parseField(tag);
  if (field.scope === "intrinsic" && (field.name === "status" || field.name === "kind"))
    return (field.name === "status" ? spanStatuses : spanKinds).map((value) => ({
      type: "keyword",
      value,
    }));
  const asked = askedField(field);
  if (!asked) return [];
  const { query, limit = valuesUsual, ...range } = request;
  const where: SpanPredicate = { type: "all", of: [asked.where, narrowing(query ?? "")] };
  const values = await reader.fieldValues({ ...range, field: asked.field, where, limit });
  return values.flatMap((value) => tagValues(field, value));
}

const every: SpanPredicate = { type: "all", of: [] };

/** The field to read, and of which spans: a trace is named after its root. */
function askedField(field: Field): { field: SpanField; where: SpanPredicate } | undefined {
  const stored = storedField(field);
  if (stored) return { field: stored, where: every };
  if (field.name !== "rootName" && field.name !== "rootServiceName") return undefined;
  const name = field.name === "rootName" ? "name" : "service";
  return {
    field: { scope: "intrinsic", name },
    where: {
      type: "condition",
      field: { scope: "intrinsic", name: "parentSpanId" },
      op: "=",
      value: "",
    },
  };
}

/** A query that does not parse may be half written: it narrows nothing. */
function narrowing(query: string): SpanPredicate {
  if (query.trim() === "") return every;
  try {
    const parsed = parse(query);
    return parsed.type === "spans" ? firstFilter(parsed.stages) : every;
  } catch (error) {
    if (error instanceof TraceqlError) return every;
    throw error;
  }
}

function firstFilter([first]: readonly Stage[]): SpanPredicate {
  return first?.type === "filter" ? boundOf(first.expr).where : every;
}

function tagValues(field: Field, value: AttributeValue): TagValue[] {
  if (typeof value === "object") return value.flatMap((each) => tagValues(field, each));
  if (typeof value === "boolean") return [{ type: "bool", value: String(value) }];
  if (typeof value === "string") return [{ type: "string", value }];
  if (field.scope === "intrinsic" && intrinsics[field.name]?.type === "duration")
    return [{ type: "duration", value: formatDuration(value) }];
  return [{ type: Number.isInteger(value) ? "int" : "float", value: String(value) }];
}
