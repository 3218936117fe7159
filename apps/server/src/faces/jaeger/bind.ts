/**
 * Jaeger's query API, so that Grafana's Jaeger data source and scripts can be pointed at `/jaeger`. Times are microseconds.
 * Source: Jaeger documentation, "APIs", internal HTTP JSON; what Jaeger UI calls.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { messageOf, parseDuration, SkoposError, type TraceEngine } from "@skopos/model";
import { jaegerQuery } from "@skopos/traceql";
import { serviceGraph } from "@skopos/traces";
import { goneSignal } from "../../http/bind.ts";
import type { Guard } from "../../http/guard.ts";
import { refusalOf } from "../../http/problems.ts";
import { all, one, type Parameters, required } from "../prometheus/parameters.ts";
import { sampleTraces } from "../trace-sample.ts";
import { jaegerTrace, structured } from "./answers.ts";

export interface JaegerParts {
  readonly guard: Guard;
  readonly traces: TraceEngine;
  readonly nowMs: () => number;
}

interface Call {
  readonly parameters: Parameters;
  readonly request: FastifyRequest;
  readonly signal: AbortSignal;
}

const dayMs = 86_400_000;
const lookbackDefaultMs = 2 * dayMs;
const tracesDefault = 100;
const tracesMax = 1500;
/** Names of services are asked for without a range. */
const namesBackMs = 2 * dayMs;
const dependencyTracesMax = 1000;
const dependencySpansMax = 5000;
const tagsMax = 50;

export function bindJaeger(app: FastifyInstance, parts: JaegerParts): void {
  for (const [path, endpoint] of Object.entries(endpointsOf(parts)))
    app.get(`/jaeger/api${path}`, async (request, reply) => {
      try {
        parts.guard.require(request, "viewer", false);
        const parameters = request.query as Parameters;
        return await endpoint({ parameters, request, signal: goneSignal(reply) });
      } catch (error) {
        const { status, body } = refusalOf(error);
        return reply
          .status(status)
          .send(structured(null, [{ code: status, msg: body.error.message }]));
      }
    });
}

function endpointsOf({
  traces,
  nowMs,
}: JaegerParts): Readonly<Record<string, (call: Call) => Promise<object>>> {
  const names = () => ({ startMs: nowMs() - namesBackMs, endMs: nowMs() });
  const operations = (service: string) => {
    const { startMs, endMs } = names();
    return traces.operations(service, startMs, endMs);
  };
  return {
    "/services": async () => {
      const { startMs, endMs } = names();
      return structured(await traces.services(startMs, endMs));
    },
    "/services/:service/operations": async ({ request }) => {
      const { service = "" } = request.params as { service?: string };
      return structured(await operations(service));
    },
    "/operations": async ({ parameters }) => {
      const found = await operations(required(parameters, "service"));
      return structured(found.map((name) => ({ name, spanKind: "" })));
    },
    "/traces": async ({ parameters, signal }) => {
      const ids = all(parameters, "traceID").map((id) => id.toLowerCase());
      const wanted = ids.length > 0 ? ids : await search(traces, parameters, nowMs(), signal);
      const found = await traces.traces(wanted.slice(0, tracesMax), signal);
      return structured(found.map((spans) => jaegerTrace(spans[0]?.traceId ?? "", spans)));
    },
    "/traces/:id": async ({ request, signal }) => {
      const { id = "" } = request.params as { id?: string };
      if (!/^[0-9a-fA-F]{1,32}$/.test(id))
        throw new SkoposError("bad-request", "a trace id is up to 32 hex digits");
      const spans = await traces.trace(id.toLowerCase(), signal);
      if (spans.length === 0) throw new SkoposError("not-found", "trace not found");
      return structured([jaegerTrace(spans[0]?.traceId ?? id, spans)]);
    },
    "/dependencies": async ({ parameters, signal }) => {
      const endMs = Number(one(parameters, "endTs") ?? nowMs());
      const lookbackMs = Number(one(parameters, "lookback") ?? dayMs);
      if (!Number.isFinite(endMs) || !Number.isFinite(lookbackMs))
        throw new SkoposError("bad-request", "endTs and lookback are milliseconds");
      const startMs = endMs - lookbackMs;
      const range = { startMs, endMs };
      const { traces: drawn, share } = await sampleTraces(
        traces,
        { ...range, tracesMax: dependencyTracesMax, spansPerTraceMax: dependencySpansMax },
        signal,
      );
      const edges = serviceGraph(drawn);
      return structured(
        edges.map(({ source, target, calls }) => ({
          parent: source,
          child: target,
          callCount: Math.max(1, Math.round(calls / share)),
        })),
      );
    },
  };
}

async function search(
  traces: TraceEngine,
  parameters: Parameters,
  nowMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  const operation = one(parameters, "operation");
  const minDurationNs = durationNs(parameters, "minDuration");
  const maxDurationNs = durationNs(parameters, "maxDuration");
  const query = jaegerQuery({
    service: required(parameters, "service"),
    tags: tagsOf(parameters),
    ...(operation === undefined || operation === "all" ? {} : { operation }),
    ...(minDurationNs === undefined ? {} : { minDurationNs }),
    ...(maxDurationNs === undefined ? {} : { maxDurationNs }),
  });
  const endMs = microsecondsOf(parameters, "end") ?? nowMs;
  const startMs = microsecondsOf(parameters, "start") ?? endMs - lookbackDefaultMs;
  const limit = Number(one(parameters, "limit") ?? tracesDefault);
  if (!Number.isSafeInteger(limit) || limit <= 0)
    throw new SkoposError("bad-request", "limit is a whole number above 0");
  const found = await traces.search(query, {
    startMs,
    endMs,
    limit: Math.min(limit, tracesMax),
    signal,
  });
  return found.traces.map(({ traceId }) => traceId);
}

function microsecondsOf(parameters: Parameters, name: string): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value))
    throw new SkoposError("bad-request", `${name} is a time in microseconds`);
  return value / 1000;
}

/** Go's durations: "1.2s", "100ms", "500us". */
function durationNs(parameters: Parameters, name: string): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const parts = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)$/.exec(text);
  const units = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 } as const;
  if (parts) return Math.round(Number(parts[1]) * units[parts[2] as keyof typeof units]);
  try {
    return parseDuration(text) * 1e6;
  } catch (error) {
    throw new SkoposError("bad-request", `invalid ${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** `tags` as a JSON object, `tag` as "key:value", several times. */
function tagsOf(parameters: Parameters): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const text of all(parameters, "tags")) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (cause) {
      throw new SkoposError("bad-request", `malformed 'tags' parameter: ${messageOf(cause)}`, {
        cause,
      });
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
      throw new SkoposError("bad-request", "malformed 'tags' parameter: an object is wanted");
    for (const [key, value] of Object.entries(parsed)) tags[key] = String(value);
  }
  for (const text of all(parameters, "tag")) {
    const colon = text.indexOf(":");
    if (colon <= 0)
      throw new SkoposError("bad-request", "malformed 'tag' parameter, expecting key:value");
    tags[text.slice(0, colon)] = text.slice(colon + 1);
  }
  if (Object.keys(tags).length > tagsMax)
    throw new SkoposError("bad-request", `at most ${tagsMax} tags`);
  return tags;
}
