/**
 * A Loki (or what speaks its HTTP API) as an engine: the query's text goes there, lines and series come back. What its LogQL
 * means is its own affair, and so are the plan and the limits; ours is how its answers are read. A server from before 3.0
 * does not say which labels are structured metadata or parsed: there they all count as the stream's.
 * Source: Loki documentation, "HTTP API".
 */
import {
  type Clock,
  type DetectedField,
  type DetectedFieldsRequest,
  LimitError,
  type LogEngine,
  type LogLine,
  type LogPlan,
  type LogQuery,
  type LogScope,
  type LogVolume,
  type LogVolumeRequest,
  readTail,
  SkoposError,
  type TailRequest,
} from "@skopos/model";
import { type CallOptions, Connection, type Parameters, type RemoteServer } from "./connection.ts";
import { refusalOf } from "./refusal.ts";
import {
  bad,
  bigOf,
  countOf,
  type Json,
  labelsOf,
  listOf,
  metricValueOf,
  recordOf,
  textOf,
  textsOf,
} from "./values.ts";

export interface LokiEngineOptions extends RemoteServer {
  readonly clock: Clock;
}

const prefix = "/loki/api/v1";
/** What Loki gives at once where it is not told otherwise (max_entries_limit_per_query). */
const pageLinesMax = 5000;
const answerBytesMax = 128 * 2 ** 20;
/** A tail has no end, Loki wants one, and not further from the start than its own limit. Lines may be ahead of our clock. */
const aheadMs = 3_600_000;
const nsPerMs = 1_000_000n;
/** Loki's own plan is not told. */
const plan: LogPlan = { selections: [] };
const fieldTypes = ["boolean", "bytes", "duration", "float", "int", "string"] as const;

export function createLokiEngine(options: LokiEngineOptions): LogEngine {
  return new LokiEngine(options);
}

class LokiEngine implements LogEngine {
  readonly #connection: Connection;
  readonly #clock: Clock;

  constructor(options: LokiEngineOptions) {
    this.#connection = new Connection({ answerBytesMax, ...options });
    this.#clock = options.clock;
  }

  async query(query: LogQuery) {
    if (isLogQuery(query.query))
      return { type: "lines", records: await this.#lines(query), plan } as const;
    const { startNs, endNs, stepMs, signal, limit } = query;
    const shared = [
      ["query", query.query],
      ["limit", String(limit)],
    ] as const;
    const body =
      stepMs === undefined
        ? await this.#ask("/query", [...shared, ["time", String(endNs)]], { signal })
        : await this.#ask(
            "/query_range",
            [
              ...shared,
              ["start", String(startNs)],
              ["end", String(endNs)],
              ["step", String(stepMs / 1000)],
            ],
            { signal },
          );
    return { type: "metric", value: metricValueOf(body["data"]).value, plan } as const;
  }

  /** In pages, since Loki gives so many lines at once: each begins at the time at which the one before it ended. */
  async #lines(query: LogQuery): Promise<LogLine[]> {
    const { limit, direction, signal } = query;
    let { startNs, endNs } = query;
    const records: LogLine[] = [];
    /** Lines of that time that were in the page before. */
    let edge = new Set<string>();
    while (records.length < limit && startNs < endNs) {
      const wanted = Math.min(limit - records.length + edge.size, pageLinesMax);
      const page = await this.#page({ ...query, startNs, endNs, limit: wanted }, signal);
      const fresh = page.filter((line) => !edge.has(keyOf(line)));
      for (const line of fresh) records.push(line);
      const last = fresh.at(-1);
      if (page.length < wanted || records.length >= limit) break;
      if (!last)
        throw new LimitError(
          `more than ${pageLinesMax} lines of one nanosecond: narrow the query down`,
        );
      if (direction === "forward") startNs = last.timeNs;
      else endNs = last.timeNs + 1n;
      edge = new Set(page.filter(({ timeNs }) => timeNs === last.timeNs).map(keyOf));
    }
    return records.slice(0, limit);
  }

  async #page(
    { query, startNs, endNs, limit, direction }: LogQuery,
    signal: AbortSignal | undefined,
  ): Promise<LogLine[]> {
    const body = await this.#ask(
      "/query_range",
      [
        ["query", query],
        ["start", String(startNs)],
        ["end", String(endNs)],
        ["limit", String(limit)],
        ["direction", direction],
      ],
      { signal, headers: { "x-loki-response-encoding-flags": "categorize-labels" } },
    );
    const data = recordOf(body["data"], "data");
    if (data["resultType"] !== "streams") throw bad("a log query's result has no streams");
    const lines = listOf(data["result"], "the result").flatMap(linesOf);
    const sign = direction === "forward" ? 1 : -1;
    return lines.sort((a, b) => (a.timeNs < b.timeNs ? -sign : a.timeNs > b.timeNs ? sign : 0));
  }

  async labelNames(startMs: number, endMs: number): Promise<string[]> {
    return textsOf((await this.#ask("/labels", rangeOf({ startMs, endMs })))["data"], "labels");
  }

  async labelValues(name: string, query: string | undefined, startMs: number, endMs: number) {
    const path = `/label/${encodeURIComponent(name)}/values`;
    const narrowed = query ? ([["query", query]] as const) : [];
    const body = await this.#ask(path, [...narrowed, ...rangeOf({ startMs, endMs })]);
    return textsOf(body["data"], "values");
  }

  async streams(match: readonly string[], startMs: number, endMs: number) {
    const selectors = match.map((selector) => ["match[]", selector] as const);
    const body = await this.#ask("/series", [...selectors, ...rangeOf({ startMs, endMs })]);
    return listOf(body["data"], "series").map(labelsOf);
  }

  async stats(scope: LogScope) {
    const body = await this.#askScope("/index/stats", scope);
    return {
      streams: countOf(body["streams"], "streams"),
      chunks: countOf(body["chunks"], "chunks"),
      entries: countOf(body["entries"], "entries"),
      bytes: countOf(body["bytes"], "bytes"),
    };
  }

  async volume(request: LogVolumeRequest): Promise<LogVolume[]> {
    const { stepMs, targetLabels, aggregateBy, limit } = request;
    const path = stepMs === undefined ? "/index/volume" : "/index/volume_range";
    const body = await this.#askScope(path, request, [
      ["aggregateBy", aggregateBy],
      ["limit", String(limit)],
      ...(stepMs === undefined ? [] : [["step", String(stepMs / 1000)] as const]),
      ...(targetLabels === undefined ? [] : [["targetLabels", targetLabels.join(",")] as const]),
    ]);
    const { value } = metricValueOf(body["data"]);
    if (value.type === "vector")
      return value.samples.map((sample) => ({
        labels: sample.labels,
        points: [[sample.timeMs, sample.value]],
      }));
    if (value.type !== "matrix") throw bad(`a volume came back as a ${value.type}`);
    return value.series.map(({ labels, times, values }) => ({
      labels,
      points: Array.from(times, (timeMs, i) => [timeMs, values[i] ?? NaN] as const),
    }));
  }

  async detectedFields(request: DetectedFieldsRequest): Promise<DetectedField[]> {
    const body = await this.#askFields("/detected_fields", request);
    return listOf(body["fields"], "fields").map(detectedFieldOf);
  }

  async detectedFieldValues(field: string, request: DetectedFieldsRequest): Promise<string[]> {
    const path = `/detected_field/${encodeURIComponent(field)}/values`;
    return textsOf((await this.#askFields(path, request))["values"], "values");
  }

  async detectedLabels(scope: LogScope) {
    const body = await this.#askScope("/detected_labels", scope);
    return listOf(body["detectedLabels"], "labels").map((each) => {
      const { label, cardinality } = recordOf(each, "a label");
      return { label: textOf(label, "a label"), cardinality: countOf(cardinality, "cardinality") };
    });
  }

  async patterns(request: LogScope & { readonly stepMs: number }) {
    const step = [["step", String(request.stepMs / 1000)]] as const;
    const body = await this.#askScope("/patterns", request, step);
    return listOf(body["data"], "patterns").map((each) => {
      const { pattern, samples } = recordOf(each, "a pattern");
      return { pattern: textOf(pattern, "a pattern"), samples: samplesOf(samples) };
    });
  }

  async tail(request: TailRequest) {
    if (!isLogQuery(request.query))
      throw new SkoposError("bad-query", 'lines are followed with a log query, like {app="x"}');
    const latestNs = BigInt(Math.floor(this.#clock.nowMs() + aheadMs)) * nsPerMs;
    return readTail(
      (startNs, endNs, limit) =>
        this.query({
          query: request.query,
          startNs,
          endNs: endNs < latestNs ? endNs : latestNs,
          limit,
          direction: "forward",
          ...(request.signal ? { signal: request.signal } : {}),
        }),
      request,
    );
  }

  #askFields(path: string, request: DetectedFieldsRequest): Promise<Json> {
    return this.#askScope(path, request, [
      ["line_limit", String(request.lineLimit)],
      ["limit", String(request.limit)],
    ]);
  }

  #askScope(path: string, scope: LogScope, more: Parameters = []): Promise<Json> {
    const query = scope.query === "" ? [] : ([["query", scope.query]] as const);
    return this.#ask(path, [...query, ...rangeOf(scope), ...more], { signal: scope.signal });
  }

  async #ask(path: string, parameters: Parameters, options?: CallOptions): Promise<Json> {
    const answer = await this.#connection.get(prefix + path, parameters, options);
    if (answer.status >= 300) throw refusalOf(this.#connection.base, answer.status, answer.text);
    return recordOf(this.#connection.parse(path, answer), "the answer");
  }
}

/** A log query begins with its selector, a metric query never does; brackets and comments may come before either. */
function isLogQuery(query: string): boolean {
  return /^(?:[\s(]|#[^\n]*(?:\n|$))*\{/.test(query);
}

function rangeOf({ startMs, endMs }: { startMs: number; endMs: number }): Parameters {
  return [
    ["start", String(BigInt(Math.floor(startMs)) * nsPerMs)],
    ["end", String(BigInt(Math.ceil(endMs)) * nsPerMs)],
  ];
}

const none = {};

function linesOf(stream: unknown): LogLine[] {
  const { stream: names, values } = recordOf(stream, "a stream");
  const labels = labelsOf(names);
  return listOf(values, "values").map((value) => {
    const [timeNs, line, categories = none] = listOf(value, "an entry");
    const { structuredMetadata = none, parsed = none } = recordOf(categories, "categories");
    return {
      timeNs: bigOf(timeNs, "a time"),
      labels,
      metadata: labelsOf(structuredMetadata),
      parsed: labelsOf(parsed),
      line: textOf(line, "a line"),
    };
  });
}

function keyOf({ timeNs, labels, metadata, parsed, line }: LogLine): string {
  return JSON.stringify([String(timeNs), labels, metadata, parsed, line]);
}

function detectedFieldOf(value: unknown): DetectedField {
  const { label, type, cardinality, parsers, jsonPath } = recordOf(value, "a field");
  return {
    label: textOf(label, "a field"),
    type: fieldTypes.find((known) => known === type) ?? "string",
    cardinality: countOf(cardinality, "cardinality"),
    parsers: textsOf(parsers, "parsers"),
    jsonPath: textsOf(jsonPath, "a path"),
  };
}

/** Pairs of unix seconds and a count. */
function samplesOf(value: unknown): (readonly [number, number])[] {
  return listOf(value, "samples").map((pair) => {
    const [seconds, count] = listOf(pair, "a sample");
    return [countOf(seconds, "a time") * 1000, countOf(count, "a count")] as const;
  });
}
