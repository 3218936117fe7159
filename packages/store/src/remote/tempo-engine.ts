/**
 * A Tempo as an engine: TraceQL goes there, traces and series come back. Its API takes whole seconds: a range reaches to the
 * seconds around it. A matched span's service is told when the query names `resource.service.name`, or when the trace has
 * only one. Source: Grafana Tempo documentation, "HTTP API"; tempo.proto for the shapes.
 */
import {
  LimitError,
  type MatchedSpan,
  type MatrixSeries,
  type MetricResult,
  type Span,
  type SpanSet,
  type TagNames,
  type TagScope,
  tagScopes,
  type TagValue,
  type TraceEngine,
  type TraceMatch,
  type TraceMetricsRequest,
  type TraceSearchRequest,
  type TraceSearchResult,
  type TraceTimeRange,
} from "@skopos/model";
import { type CallOptions, Connection, type Parameters, type RemoteServer } from "./connection.ts";
import { attributesOf, spansOfOtlp } from "./otlp-json.ts";
import { refusalOf } from "./refusal.ts";
import { inOrder, secondsRange, spansMax } from "./span-lists.ts";
import { bad, bigOf, countOf, type Json, listOf, recordOf, textOf, textsOf } from "./values.ts";

const answerBytesMax = 128 * 2 ** 20;
/** Traces fetched at a time. */
const concurrency = 4;
const matchedIdsMax = 3;
const namesMax = 5000;
const valueTypes = ["string", "int", "float", "bool", "duration", "keyword"] as const;
const notFound = 404;

export function createTempoEngine(remote: RemoteServer): TraceEngine {
  return new TempoEngine(remote);
}

class TempoEngine implements TraceEngine {
  readonly #connection: Connection;
  /** Whether it has `/api/v2/traces`, which came with 2.7. */
  #second: boolean | undefined;

  constructor(remote: RemoteServer) {
    this.#connection = new Connection({ answerBytesMax, ...remote });
  }

  async trace(traceId: string, signal?: AbortSignal, within?: TraceTimeRange): Promise<Span[]> {
    const parameters = within ? secondsRange(within) : [];
    const options = { signal, headers: { accept: "application/json" } };
    if (this.#second !== false) {
      const body = await this.#find(`/api/v2/traces/${traceId}`, parameters, options);
      if (body) {
        this.#second = true;
        return inOrder(spansOfOtlp(recordOf(body["trace"] ?? {}, "a trace"), spansMax));
      }
      if (this.#second) return [];
    }
    // Not found: the trace, or the path.
    const body = await this.#find(`/api/traces/${traceId}`, parameters, options);
    if (body && this.#second === undefined) this.#second = false;
    return body ? inOrder(spansOfOtlp(body, spansMax)) : [];
  }

  async traces(traceIds: readonly string[], signal?: AbortSignal, within?: TraceTimeRange) {
    const found: Span[][] = [];
    let spans = 0;
    for (let at = 0; at < traceIds.length; at += concurrency) {
      const ids = traceIds.slice(at, at + concurrency);
      for (const trace of await Promise.all(ids.map((id) => this.trace(id, signal, within)))) {
        spans += trace.length;
        if (spans > spansMax) throw new LimitError(`the traces have more than ${spansMax} spans`);
        if (trace.length > 0) found.push(trace);
      }
    }
    return found;
  }

  async search(query: string, request: TraceSearchRequest): Promise<TraceSearchResult> {
    const { limit, spansPerSet, signal } = request;
    if (limit <= 0) return { traces: [], warnings: [], spansRead: 0 };
    const body = await this.#ask(
      "/api/search",
      [
        ["q", query.trim() === "" ? "{ }" : query],
        ["limit", String(limit)],
        ...(spansPerSet === undefined ? [] : [["spss", String(spansPerSet)] as const]),
        ...secondsRange(request),
      ],
      { signal },
    );
    const traces = listOf(body["traces"], "traces").map(traceMatchOf);
    traces.sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0));
    const { inspectedSpans = 0 } = recordOf(body["metrics"] ?? {}, "metrics");
    const spansRead = countOf(inspectedSpans, "inspectedSpans");
    return { traces: traces.slice(0, limit), warnings: partial(body), spansRead };
  }

  async metrics(query: string, request: TraceMetricsRequest): Promise<MetricResult> {
    const { stepMs, signal } = request;
    const body = await this.#ask(
      "/api/metrics/query_range",
      [["q", query], ["step", `${stepMs}ms`], ...secondsRange(request)],
      { signal },
    );
    const series = listOf(body["series"], "series").map(seriesOf);
    const kept = series.filter(({ times }) => times.length > 0);
    return { value: { type: "matrix", series: kept }, warnings: partial(body), infos: [] };
  }

  async tags(
    request: TraceTimeRange & { scope?: TagScope; signal?: AbortSignal },
  ): Promise<TagNames[]> {
    const { scope, signal } = request;
    const body = await this.#ask(
      "/api/v2/search/tags",
      [
        ...(scope === undefined ? [] : [["scope", scope] as const]),
        ["limit", String(namesMax)],
        ...secondsRange(request),
      ],
      { signal },
    );
    return listOf(body["scopes"], "scopes").flatMap((each) => {
      const { name, tags } = recordOf(each, "a scope");
      const known = tagScopes.find((word) => word === name);
      return known ? [{ scope: known, tags: textsOf(tags, "tags").sort() }] : [];
    });
  }

  async tagValues(
    tag: string,
    request: TraceTimeRange & { query?: string; limit?: number; signal?: AbortSignal },
  ): Promise<TagValue[]> {
    const { query, limit = 1000, signal } = request;
    const body = await this.#ask(
      `/api/v2/search/tag/${encodeURIComponent(tag)}/values`,
      [
        ...(query === undefined ? [] : [["q", query] as const]),
        ["limit", String(limit)],
        ...secondsRange(request),
      ],
      { signal },
    );
    return listOf(body["tagValues"], "values")
      .slice(0, limit)
      .map((each) => {
        const { type, value } = recordOf(each, "a value");
        return {
          type: valueTypes.find((known) => known === type) ?? "string",
          value: textOf(value, "a value"),
        };
      });
  }

  services(startMs: number, endMs: number): Promise<string[]> {
    return this.#names("resource.service.name", { startMs, endMs });
  }

  operations(service: string, startMs: number, endMs: number): Promise<string[]> {
    const query = `{ resource.service.name = ${JSON.stringify(service)} }`;
    return this.#names("name", { startMs, endMs, query });
  }

  async #names(tag: string, request: TraceTimeRange & { query?: string }): Promise<string[]> {
    const values = await this.tagValues(tag, { ...request, limit: namesMax });
    return [...new Set(values.map(({ value }) => value))].sort();
  }

  async #ask(path: string, parameters: Parameters, options: CallOptions): Promise<Json> {
    const body = await this.#find(path, parameters, options);
    if (body) return body;
    throw refusalOf(this.#connection.base, notFound, `there is no ${path}: is it Tempo's URL?`);
  }

  /** Undefined when it answers that there is no such thing. */
  async #find(
    path: string,
    parameters: Parameters,
    options: CallOptions,
  ): Promise<Json | undefined> {
    const answer = await this.#connection.get(path, parameters, options);
    if (answer.status === notFound) return undefined;
    if (answer.status >= 300) throw refusalOf(this.#connection.base, answer.status, answer.text);
    return recordOf(this.#connection.parse(path, answer), "the answer");
  }
}

/** It says so when a limit or a failure left something out. */
function partial({ status, message }: Json): string[] {
  if (status !== "PARTIAL") return [];
  return [`Tempo's answer is partial${typeof message === "string" ? `: ${message}` : ""}`];
}

/** Tempo leaves out an id's zeros in front. */
const paddedTraceId = (value: unknown) => textOf(value, "traceID").toLowerCase().padStart(32, "0");
const paddedSpanId = (value: unknown) => textOf(value, "spanID").toLowerCase().padStart(16, "0");

function traceMatchOf(value: unknown): TraceMatch {
  const trace = recordOf(value, "a trace");
  const stats = Object.entries(recordOf(trace["serviceStats"] ?? {}, "serviceStats")).map(
    ([service, each]) => {
      const { spanCount = 0, errorCount = 0 } = recordOf(each, "a service");
      const spans = countOf(spanCount, "spanCount");
      return { service, spans, errors: countOf(errorCount, "errorCount") };
    },
  );
  const services = Object.fromEntries(stats.map(({ service, spans }) => [service, spans]));
  const [only, ...others] = Object.keys(services);
  const single = others.length === 0 ? (only ?? "") : "";
  const sets = listOf(trace["spanSets"] ?? [trace["spanSet"] ?? {}], "spanSets");
  const spanSets = sets.map((set) => spanSetOf(set, single));
  const ids = spanSets.flatMap(({ spans }) => spans.map(({ spanId }) => spanId));
  const counted = stats.reduce((sum, { spans }) => sum + spans, 0);
  const matched = spanSets.reduce((sum, set) => sum + set.matched, 0);
  return {
    traceId: paddedTraceId(trace["traceID"]),
    rootService: textOf(trace["rootServiceName"] ?? "", "rootServiceName"),
    rootName: textOf(trace["rootTraceName"] ?? "", "rootTraceName"),
    startNs: bigOf(trace["startTimeUnixNano"] ?? 0, "a start"),
    durationNs: countOf(trace["durationMs"] ?? 0, "durationMs") * 1e6,
    // Versions without these statistics tell of no more spans than matched.
    spanCount: stats.length > 0 ? counted : matched,
    errorCount: stats.reduce((sum, { errors }) => sum + errors, 0),
    services,
    serviceErrors: Object.fromEntries(
      stats.flatMap(({ service, errors }) => (errors > 0 ? [[service, errors]] : [])),
    ),
    matched: [...new Set(ids)].slice(0, matchedIdsMax).sort(),
    spanSets,
  };
}

function spanSetOf(value: unknown, service: string): SpanSet {
  const set = recordOf(value, "a span set");
  const spans = listOf(set["spans"], "spans").map((span) => matchedSpanOf(span, service));
  return {
    matched: countOf(set["matched"] ?? spans.length, "matched"),
    attributes: attributesOf(set["attributes"]),
    spans,
  };
}

function matchedSpanOf(value: unknown, single: string): MatchedSpan {
  const span = recordOf(value, "a span");
  const attributes = attributesOf(span["attributes"]);
  const service = attributes["service.name"] ?? attributes["resource.service.name"] ?? single;
  return {
    spanId: paddedSpanId(span["spanID"]),
    service: String(service),
    name: textOf(span["name"] ?? "", "a name"),
    startNs: bigOf(span["startTimeUnixNano"] ?? 0, "a start"),
    durationNs: countOf(span["durationNanos"] ?? 0, "durationNanos"),
    attributes,
  };
}

function seriesOf(value: unknown): MatrixSeries {
  const series = recordOf(value, "a series");
  const samples = listOf(series["samples"], "samples");
  const times = new Float64Array(samples.length);
  const values = new Float64Array(samples.length);
  for (const [i, each] of samples.entries()) {
    // Protobuf's JSON leaves out what is 0.
    const { timestampMs = 0, value: sample = 0 } = recordOf(each, "a sample");
    times[i] = countOf(timestampMs, "timestampMs");
    values[i] = typeof sample === "string" ? Number(sample) : countOf(sample, "a value");
    if (i > 0 && (times[i] ?? 0) < (times[i - 1] ?? 0)) throw bad("samples are not in order");
  }
  const labels = Object.entries(attributesOf(series["labels"]));
  return {
    labels: Object.fromEntries(labels.map(([name, label]) => [name, String(label)])),
    times,
    values,
  };
}
