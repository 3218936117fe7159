/**
 * Tempo's query API, so that Grafana's Tempo data source can be pointed at `/tempo`. Times are unix seconds, results carry
 * nanoseconds as strings. Source: Grafana Tempo documentation, "HTTP API"; tempo.proto for the shapes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  type LabelMap,
  messageOf,
  type MetricResult,
  parseDuration,
  SkoposError,
  tagScopes,
  type TraceEngine,
  type TraceMatch,
} from "@skopos/model";
import { goneSignal } from "../../http/bind.ts";
import type { Guard } from "../../http/guard.ts";
import { refusalOf } from "../../http/problems.ts";
import { one, type Parameters, required, timeOf } from "../prometheus/parameters.ts";
import { attributesJson, resourceSpansJson, traceByIdMessage, traceMessage } from "./otlp.ts";

export interface TempoParts {
  readonly guard: Guard;
  readonly traces: TraceEngine;
  readonly nowMs: () => number;
  readonly version: string;
}

interface Call {
  readonly parameters: Parameters;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly signal: AbortSignal;
}

const hourMs = 3_600_000;
const tracesDefault = 20;
const tracesMax = 1000;
const spansPerSetMax = 100;
const valuesMax = 1000;
const stepsWanted = 60;

export function bindTempo(app: FastifyInstance, parts: TempoParts): void {
  for (const [path, endpoint] of Object.entries(endpointsOf(parts)))
    app.get(`/tempo${path}`, async (request, reply) => {
      try {
        parts.guard.require(request, "viewer", false);
        const parameters = request.query as Parameters;
        return await endpoint({ parameters, request, reply, signal: goneSignal(reply) });
      } catch (error) {
        const { status, body } = refusalOf(error);
        return reply
          .status(status === 422 ? 400 : status)
          .type("text/plain")
          .send(body.error.message);
      }
    });
}

function endpointsOf({
  traces,
  nowMs,
  version,
}: TempoParts): Readonly<Record<string, (call: Call) => Promise<unknown>>> {
  const rangeOf = ({ parameters }: Call) => {
    const endMs = timeOf(parameters, "end") ?? nowMs();
    return { startMs: timeOf(parameters, "start") ?? endMs - hourMs, endMs };
  };
  const byId = async (call: Call, encode: "v1" | "v2") => {
    const { id = "" } = call.request.params as { id?: string };
    if (!/^[0-9a-fA-F]{1,32}$/.test(id))
      throw new SkoposError("bad-request", "a trace id is up to 32 hex digits");
    const { parameters } = call;
    const within = one(parameters, "start") && one(parameters, "end") ? rangeOf(call) : undefined;
    const spans = await traces.trace(id.toLowerCase(), call.signal, within);
    if (spans.length === 0) throw new SkoposError("not-found", "trace not found");
    if ((call.request.headers.accept ?? "").includes("application/protobuf"))
      return call.reply
        .type("application/protobuf")
        .send(encode === "v1" ? traceMessage(spans) : traceByIdMessage(spans));
    const resourceSpans = resourceSpansJson(spans);
    return encode === "v1" ? { batches: resourceSpans } : { trace: { resourceSpans } };
  };
  const tags = async (call: Call) => {
    const scope = one(call.parameters, "scope");
    if (scope !== undefined && scope !== "none" && !tagScopes.some((known) => known === scope))
      throw new SkoposError("bad-request", `scope is one of ${tagScopes.join(", ")}`);
    const wanted = tagScopes.find((known) => known === scope);
    return traces.tags({
      ...rangeOf(call),
      signal: call.signal,
      ...(wanted === undefined ? {} : { scope: wanted }),
    });
  };
  const values = async (call: Call) => {
    const { tag = "" } = call.request.params as { tag?: string };
    const query = one(call.parameters, "q");
    return traces.tagValues(tag, {
      ...rangeOf(call),
      limit: limitOf(call.parameters, "limit", valuesMax, valuesMax),
      signal: call.signal,
      ...(query === undefined ? {} : { query }),
    });
  };
  const metrics = async (call: Call, stepMs: number) => {
    const query = one(call.parameters, "q") ?? required(call.parameters, "query");
    return traces.metrics(query, { ...rangeOf(call), stepMs, signal: call.signal });
  };

  return {
    "/api/echo": async ({ reply }) => reply.type("text/plain").send("echo"),
    "/ready": async ({ reply }) => reply.type("text/plain").send("ready"),
    "/api/status/buildinfo": async () => ({
      version: "2.8.0",
      revision: version,
      branch: "skopos",
      buildUser: "",
      buildDate: "",
      goVersion: "",
    }),
    "/api/search": async (call) => {
      const { parameters } = call;
      const result = await traces.search(one(parameters, "q") ?? legacyQuery(parameters), {
        ...rangeOf(call),
        limit: limitOf(parameters, "limit", tracesDefault, tracesMax),
        spansPerSet: limitOf(parameters, "spss", 3, spansPerSetMax),
        signal: call.signal,
      });
      return {
        traces: result.traces.map(traceJson),
        metrics: {
          inspectedTraces: result.traces.length,
          inspectedSpans: String(result.spansRead),
          completedJobs: 1,
          totalJobs: 1,
        },
      };
    },
    "/api/search/tags": async (call) => ({
      tagNames: [...new Set((await tags(call)).flatMap((scope) => scope.tags))].sort(),
    }),
    "/api/v2/search/tags": async (call) => ({
      scopes: (await tags(call)).map((scope) => ({ name: scope.scope, tags: scope.tags })),
      metrics: {},
    }),
    "/api/search/tag/:tag/values": async (call) => ({
      tagValues: (await values(call)).map(({ value }) => value),
    }),
    "/api/v2/search/tag/:tag/values": async (call) => ({
      tagValues: await values(call),
      metrics: {},
    }),
    "/api/traces/:id": (call) => byId(call, "v1"),
    "/api/v2/traces/:id": (call) => byId(call, "v2"),
    "/api/metrics/query_range": async (call) => {
      const { startMs, endMs } = rangeOf(call);
      const chosen = Math.max(1000, Math.ceil((endMs - startMs) / stepsWanted / 1000) * 1000);
      const stepMs = durationOf(call.parameters, "step") ?? chosen;
      return { series: seriesJson(await metrics(call, stepMs), false), metrics: {} };
    },
    "/api/metrics/query": async (call) => {
      const { startMs, endMs } = rangeOf(call);
      const result = await metrics(call, Math.max(1000, endMs - startMs));
      return { series: seriesJson(result, true), metrics: {} };
    },
  };
}

function limitOf(parameters: Parameters, name: string, fallback: number, max: number): number {
  const text = one(parameters, name);
  if (text === undefined) return fallback;
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new SkoposError("bad-request", `invalid ${name}: a whole number is wanted`);
  return limit === 0 ? fallback : Math.min(limit, max);
}

/** Seconds, Prometheus's durations, or Go's (fractions allowed). */
function durationOf(parameters: Parameters, name: string): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const go = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)?$/.exec(text);
  const units = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
  if (go) return Number(go[1]) * units[(go[2] ?? "s") as keyof typeof units];
  try {
    return parseDuration(text);
  } catch (error) {
    throw new SkoposError("bad-request", `invalid ${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** The parameters from before TraceQL: `tags` in logfmt, `minDuration`, `maxDuration`. */
function legacyQuery(parameters: Parameters): string {
  const conditions: string[] = [];
  const tags = one(parameters, "tags") ?? "";
  for (const [, key = "", quoted, plain] of tags.matchAll(
    /([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g,
  )) {
    const value = quoted === undefined ? (plain ?? "") : quoted.replaceAll(/\\(.)/g, "$1");
    if (key === "service.name") conditions.push(`resource.service.name = ${JSON.stringify(value)}`);
    else if (key === "name") conditions.push(`name = ${JSON.stringify(value)}`);
    else if (key === "status.code" || key === "status") conditions.push(`status = ${value}`);
    else conditions.push(`."${key.replaceAll(/["\\]/g, "\\$&")}" = ${JSON.stringify(value)}`);
  }
  for (const [name, op] of [
    ["minDuration", ">="],
    ["maxDuration", "<="],
  ] as const) {
    const ms = durationOf(parameters, name);
    if (ms !== undefined) conditions.push(`duration ${op} ${Math.round(ms * 1e6)}ns`);
  }
  return conditions.length === 0 ? "{ }" : `{ ${conditions.join(" && ")} }`;
}

function traceJson(trace: TraceMatch): object {
  const spanSets = trace.spanSets.map(({ matched, attributes, spans }) => ({
    matched,
    ...(Object.keys(attributes).length > 0 ? { attributes: attributesJson(attributes) } : {}),
    spans: spans.map((span) => ({
      spanID: span.spanId,
      name: span.name,
      startTimeUnixNano: span.startNs.toString(),
      durationNanos: String(Math.round(span.durationNs)),
      attributes: attributesJson(span.attributes),
    })),
  }));
  return {
    traceID: trace.traceId,
    rootServiceName: trace.rootService,
    rootTraceName: trace.rootName,
    startTimeUnixNano: trace.startNs.toString(),
    durationMs: Math.floor(trace.durationNs / 1e6),
    spanSets,
    ...(spanSets[0] ? { spanSet: spanSets[0] } : {}),
    serviceStats: Object.fromEntries(
      Object.entries(trace.services).map(([service, spanCount]) => {
        const errorCount = trace.serviceErrors[service];
        return [service, { spanCount, ...(errorCount === undefined ? {} : { errorCount }) }];
      }),
    ),
  };
}

function labelsJson(labels: LabelMap): object {
  const quoted = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return { labels: attributesJson(labels), promLabels: `{${quoted.join(", ")}}` };
}

function seriesJson({ value }: MetricResult, instant: boolean): object[] {
  if (value.type !== "matrix") return [];
  return value.series.map(({ labels, times, values }) =>
    instant
      ? { ...labelsJson(labels), value: values.at(-1) ?? 0 }
      : {
          ...labelsJson(labels),
          samples: Array.from(times, (timeMs, i) => ({
            timestampMs: String(timeMs),
            value: values[i] ?? 0,
          })),
          exemplars: [],
        },
  );
}
