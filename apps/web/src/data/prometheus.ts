/** Prometheus's HTTP API as far as the Metrics page asks it: the only wire types declared here, because they are Prometheus's. */
import { SkoposError } from "@skopos/model";
import { queryOptions } from "@tanstack/react-query";
import { z } from "zod";
import type { ExemplarSeries } from "../logic/exemplars.ts";
import type { WireGroup } from "../logic/rules.ts";

const prometheusPrefix = "/api/v1";

/** Unix seconds and the value as text ("NaN" and "+Inf" included). */
type Sample = readonly [atSeconds: number, value: string];

/** A native histogram at one moment. */
interface NativeHistogram {
  readonly atSeconds: number;
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly {
    readonly lower: number;
    readonly upper: number;
    readonly count: number;
  }[];
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** One sample of an instant query, all of a range query. Native histograms come without. */
  readonly samples: readonly Sample[];
  readonly histograms: readonly NativeHistogram[];
}

export type QueryData =
  | { readonly resultType: "vector" | "matrix"; readonly result: readonly Series[] }
  | { readonly resultType: "scalar" | "string"; readonly result: Sample };

export interface QueryAnswer {
  readonly data: QueryData;
  /** Warnings and infos. */
  readonly notes: readonly string[];
}

/** A refused query. `line` and `column` count from 1. */
export class QueryError extends SkoposError {
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(code: string, message: string) {
    super(code, message);
    const place = /(?:^|\s)(\d+):(\d+): /.exec(message);
    this.line = place ? Number(place[1]) : undefined;
    this.column = place ? Number(place[2]) : undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSample(value: unknown): value is Sample {
  return Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "string";
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** As Prometheus writes numbers. */
const numberOf = (value: unknown) =>
  typeof value === "string" ? Number(value.replace(/Inf$/, "Infinity")) : NaN;

function readBucket(value: unknown): NativeHistogram["buckets"][number] | null {
  if (!Array.isArray(value) || value.length !== 4) return null;
  const [, lower, upper, count] = value.map(numberOf);
  return lower === undefined || upper === undefined || count === undefined
    ? null
    : { lower, upper, count };
}

function readHistogram(value: unknown): NativeHistogram | null {
  if (!Array.isArray(value) || typeof value[0] !== "number" || !isRecord(value[1])) return null;
  const { count, sum, buckets } = value[1];
  const read = (Array.isArray(buckets) ? buckets : []).map(readBucket);
  return {
    atSeconds: value[0],
    count: numberOf(count),
    sum: numberOf(sum),
    buckets: read.filter((bucket) => bucket !== null),
  };
}

function readSeries(value: unknown): Series | null {
  if (!isRecord(value) || !isRecord(value["metric"])) return null;
  const metric: Record<string, string> = {};
  for (const [name, text] of Object.entries(value["metric"]))
    if (typeof text === "string") metric[name] = text;
  const values = Array.isArray(value["values"]) ? value["values"] : [value["value"]];
  const held = Array.isArray(value["histograms"]) ? value["histograms"] : [value["histogram"]];
  const histograms = held.map(readHistogram).filter((one) => one !== null);
  return { metric, samples: values.filter(isSample), histograms };
}

function readData(data: unknown): QueryData | null {
  if (!isRecord(data)) return null;
  const { resultType, result } = data;
  if (resultType === "scalar" || resultType === "string")
    return isSample(result) ? { resultType, result } : null;
  if ((resultType !== "vector" && resultType !== "matrix") || !Array.isArray(result)) return null;
  const series = result.map(readSeries).filter((one) => one !== null);
  return series.length === result.length ? { resultType, result: series } : null;
}

/** Reads an answer of `query` or `query_range`. Throws `QueryError`. */
export function readAnswer(httpStatus: number, text: string): QueryAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new QueryError("http", `the server answered ${httpStatus}: ${text.slice(0, 200)}`);
  }
  if (isRecord(body) && body["status"] === "error") {
    const { errorType, error } = body;
    throw new QueryError(
      typeof errorType === "string" ? errorType : "http",
      typeof error === "string" ? error : `the server answered ${httpStatus}`,
    );
  }
  const data = isRecord(body) ? readData(body["data"]) : null;
  if (!isRecord(body) || !data)
    throw new QueryError("http", `the server's answer (${httpStatus}) is not Prometheus's`);
  return { data, notes: [...texts(body["warnings"]), ...texts(body["infos"])] };
}

async function send(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const search = new URLSearchParams(parameters).toString();
  try {
    const response = await fetch(`${prometheusPrefix}/${path}?${search}`, {
      credentials: "same-origin",
      signal,
    });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    throw new SkoposError("unreachable", "no answer from the server: is skopos running?", {
      cause,
    });
  }
}

async function ask(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const { status, text } = await send(path, parameters, signal);
  return readAnswer(status, text);
}

async function read<Schema extends z.ZodType>(
  path: string,
  parameters: Record<string, string>,
  schema: Schema,
  signal: AbortSignal,
): Promise<z.infer<Schema>> {
  const { status, text } = await send(path, parameters, signal);
  return readBody(status, text, schema);
}

/** The `data` of an answer that is no query's. Throws `QueryError`. */
function readBody<Schema extends z.ZodType>(
  httpStatus: number,
  text: string,
  schema: Schema,
): z.infer<Schema> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  if (isRecord(body) && body["status"] === "success") {
    const result = schema.safeParse(body["data"]);
    if (result.success) return result.data;
  }
  const said = isRecord(body) && typeof body["error"] === "string" ? body["error"] : "";
  throw new QueryError("http", said || `the server's answer (${httpStatus}) is not Prometheus's`);
}

const labelMap = z.record(z.string(), z.string());
const targetsAnswer = z.object({
  activeTargets: z.array(
    z.object({
      labels: labelMap,
      discoveredLabels: labelMap,
      scrapePool: z.string(),
      scrapeUrl: z.string(),
      health: z.enum(["up", "down", "unknown"]),
      lastError: z.string(),
      lastScrape: z.string(),
      lastScrapeDuration: z.number(),
      scrapeInterval: z.string(),
    }),
  ),
  droppedTargetCounts: z.record(z.string(), z.number()),
});
export type Target = z.infer<typeof targetsAnswer>["activeTargets"][number];

export const targetsQuery = queryOptions({
  queryKey: ["prometheus", "targets"],
  queryFn: ({ signal }) => read("targets", {}, targetsAnswer, signal),
  refetchInterval: 15_000,
});

const counts = z.array(z.object({ name: z.string(), value: z.number() }));
const cardinalityAnswer = z.object({
  headStats: z.object({ numSeries: z.number(), numLabelPairs: z.number() }),
  seriesCountByMetricName: counts,
  labelValueCountByLabelName: counts,
  memoryInBytesByLabelName: counts,
  seriesCountByLabelValuePair: counts,
});
export type Cardinality = z.infer<typeof cardinalityAnswer>;

export const cardinalityQuery = queryOptions({
  queryKey: ["prometheus", "cardinality"],
  queryFn: ({ signal }) => read("status/tsdb", { limit: "25" }, cardinalityAnswer, signal),
});

const ruleGroups = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      interval: z.number(),
      evaluationTime: z.number(),
      lastEvaluation: z.string(),
      rules: z.array(
        z.object({
          name: z.string(),
          query: z.string(),
          type: z.enum(["alerting", "recording"]),
          state: z.string().optional(),
          health: z.string(),
          lastError: z.string().optional(),
          evaluationTime: z.number(),
          lastEvaluation: z.string(),
        }),
      ),
    }),
  ),
});

export const rulesQuery = queryOptions({
  queryKey: ["prometheus", "rules"],
  queryFn: async ({ signal }): Promise<readonly WireGroup[]> =>
    (await read("rules", { exclude_alerts: "true" }, ruleGroups, signal)).groups,
  refetchInterval: 15_000,
});

const exemplarSeries = z.array(
  z.object({
    seriesLabels: labelMap,
    exemplars: z.array(
      z.object({
        labels: labelMap,
        value: z.string().transform(numberOf),
        timestamp: z.number(),
      }),
    ),
  }),
);

/** Exemplars of the series that any selector of the query names. */
export async function exemplarQuery(
  query: string,
  range: { startMs: number; endMs: number },
  signal: AbortSignal,
): Promise<readonly ExemplarSeries[]> {
  const { startMs, endMs } = range;
  const parameters = { query, start: `${startMs / 1000}`, end: `${endMs / 1000}` };
  return read("query_exemplars", parameters, exemplarSeries, signal);
}

export function instantQuery(
  query: string,
  atMs: number,
  signal: AbortSignal,
): Promise<QueryAnswer> {
  return ask("query", { query, time: `${atMs / 1000}` }, signal);
}

export function rangeQuery(
  query: string,
  range: { startMs: number; endMs: number; stepMs: number },
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const { startMs, endMs, stepMs } = range;
  return ask(
    "query_range",
    { query, start: `${startMs / 1000}`, end: `${endMs / 1000}`, step: `${stepMs / 1000}` },
    signal,
  );
}
