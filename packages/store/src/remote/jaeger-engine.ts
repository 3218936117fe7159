/**
 * A Jaeger as an engine, as far as its query API goes: traces by id, a search within one service, services and operations.
 * It knows nothing of TraceQL: whoever hands in `understand` says which search of Jaeger's stands for a query, and which of
 * the spans that come back match. Services and operations have no range of time there.
 * Source: Jaeger documentation, "APIs", internal HTTP JSON.
 */
import {
  type MetricResult,
  LimitError,
  type Span,
  SkoposError,
  type TagNames,
  type TagValue,
  type TraceEngine,
  type TraceMatch,
  type TraceSearchRequest,
  type TraceSearchResult,
} from "@skopos/model";
import { type CallOptions, Connection, type Parameters, type RemoteServer } from "./connection.ts";
import { paddedId, spansOfJaeger } from "./jaeger-json.ts";
import { refusalOf } from "./refusal.ts";
import { inOrder, spansMax } from "./span-lists.ts";
import { listOf, recordOf, textsOf } from "./values.ts";

/** A query as Jaeger can be asked it: everything on one span of one service. */
interface JaegerAsking {
  readonly service: string;
  readonly operation?: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Inclusive. */
  readonly minDurationNs?: number;
  readonly maxDurationNs?: number;
  /** What of a whole trace matches; undefined: nothing, since Jaeger finds by less than the query says. */
  readonly match: (spans: readonly Span[], request: TraceSearchRequest) => TraceMatch | undefined;
}

export interface JaegerEngineOptions extends RemoteServer {
  /** Throws "bad-query", and "not-supported" for what no search of Jaeger's says. */
  readonly understand: (query: string) => JaegerAsking;
}

const answerBytesMax = 128 * 2 ** 20;
const tracesAtOnce = 50;
const notFound = 404;
const messageCharsMax = 2000;

export function createJaegerEngine(options: JaegerEngineOptions): TraceEngine {
  return new JaegerEngine(options);
}

class JaegerEngine implements TraceEngine {
  readonly #connection: Connection;
  readonly #understand: (query: string) => JaegerAsking;

  constructor(options: JaegerEngineOptions) {
    this.#connection = new Connection({ answerBytesMax, ...options });
    this.#understand = options.understand;
  }

  async trace(traceId: string, signal?: AbortSignal): Promise<Span[]> {
    const [spans = []] = await this.#traces(`/api/traces/${traceId}`, [], { signal });
    return spans;
  }

  async traces(traceIds: readonly string[], signal?: AbortSignal): Promise<Span[][]> {
    const found = new Map<string, Span[]>();
    let count = 0;
    for (let at = 0; at < traceIds.length; at += tracesAtOnce) {
      const ids = traceIds.slice(at, at + tracesAtOnce).map((id) => ["traceID", id] as const);
      for (const spans of await this.#traces("/api/traces", ids, { signal })) {
        count += spans.length;
        if (count > spansMax) throw new LimitError(`the traces have more than ${spansMax} spans`);
        found.set(spans[0]?.traceId ?? "", spans);
      }
    }
    return traceIds.flatMap((id) => {
      const spans = found.get(paddedId(id, 32));
      return spans ? [spans] : [];
    });
  }

  async search(query: string, request: TraceSearchRequest): Promise<TraceSearchResult> {
    const asking = this.#understand(query);
    const { limit, signal, startMs, endMs } = request;
    if (limit <= 0) return { traces: [], warnings: [], spansRead: 0 };
    const { service, operation, tags, minDurationNs, maxDurationNs } = asking;
    const parameters: (readonly [string, string])[] = [
      ["service", service],
      ["start", String(Math.floor(startMs * 1000))],
      ["end", String(Math.ceil(endMs * 1000))],
      ["limit", String(limit)],
    ];
    if (operation !== undefined) parameters.push(["operation", operation]);
    if (Object.keys(tags).length > 0) parameters.push(["tags", JSON.stringify(tags)]);
    if (minDurationNs !== undefined) parameters.push(["minDuration", `${minDurationNs}ns`]);
    if (maxDurationNs !== undefined) parameters.push(["maxDuration", `${maxDurationNs}ns`]);
    const found = await this.#traces("/api/traces", parameters, { signal });
    const traces = found.flatMap((spans) => asking.match(spans, request) ?? []);
    traces.sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0));
    const warnings =
      found.length >= limit && traces.length < found.length
        ? [
            "Jaeger found as many traces as were asked for, and some of them do not match: there may be more",
          ]
        : [];
    const spansRead = found.reduce((sum, spans) => sum + spans.length, 0);
    return { traces: traces.slice(0, limit), warnings, spansRead };
  }

  metrics(): Promise<MetricResult> {
    return Promise.reject(lacking("series of spans"));
  }

  tags(): Promise<TagNames[]> {
    return Promise.reject(lacking("the names of attributes"));
  }

  tagValues(): Promise<TagValue[]> {
    return Promise.reject(lacking("the values of attributes"));
  }

  async services(): Promise<string[]> {
    return textsOf(await this.#ask("/api/services", [], {}), "services").sort();
  }

  async operations(service: string): Promise<string[]> {
    const path = `/api/services/${encodeURIComponent(service)}/operations`;
    return [...new Set(textsOf(await this.#ask(path, [], {}), "operations"))].sort();
  }

  async #traces(path: string, parameters: Parameters, options: CallOptions): Promise<Span[][]> {
    const traces = listOf(await this.#ask(path, parameters, options), "traces");
    const found = traces.map((trace) => inOrder(spansOfJaeger(trace)));
    const count = found.reduce((sum, spans) => sum + spans.length, 0);
    if (count > spansMax) throw new LimitError(`the traces have more than ${spansMax} spans`);
    return found.filter((spans) => spans.length > 0);
  }

  /** What is in Jaeger's envelope; nothing for what is not found. */
  async #ask(path: string, parameters: Parameters, options: CallOptions): Promise<unknown> {
    const { base } = this.#connection;
    const answer = await this.#connection.get(path, parameters, options);
    if (answer.status === notFound && path.startsWith("/api/traces/")) return [];
    if (answer.status >= 300) throw refusalOf(base, answer.status, messageIn(answer.text));
    // Ids that are not found are named as errors beside those that are.
    return recordOf(this.#connection.parse(path, answer), "the answer")["data"];
  }
}

function lacking(what: string): SkoposError {
  return new SkoposError(
    "not-supported",
    `Jaeger cannot be asked for ${what}; it finds traces by service, operation, tags and duration`,
  );
}

/** Refusals are `{ errors: [{ msg }] }`, or plain text. */
function messageIn(text: string): string {
  const found = /"msg":\s*("(?:[^"\\]|\\.)*")/.exec(text.slice(0, messageCharsMax))?.[1];
  return found === undefined ? text : String(JSON.parse(found));
}
