/**
 * Loki's query API, so that Grafana's Loki data source and logcli can be pointed here. Errors are plain text, as Loki's are.
 * Source: Loki documentation, "HTTP API".
 */
import websocket from "@fastify/websocket";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { format, parse } from "@skopos/logql/syntax";
import { type LogEngine, SkoposError } from "@skopos/model";
import { goneSignal } from "../../http/bind.ts";
import type { Guard } from "../../http/guard.ts";
import { refusalOf } from "../../http/problems.ts";
import { all, one, type Parameters, required } from "../prometheus/parameters.ts";
import { resultData, volumeData } from "./answers.ts";
import {
  directionOf,
  durationMsOf,
  lineLimitOf,
  msRangeOf,
  nsRangeOf,
  stepMsOf,
  timeNsOf,
} from "./parameters.ts";
import { tail } from "./tail.ts";

export interface LokiParts {
  readonly guard: Guard;
  readonly logs: LogEngine;
  readonly nowMs: () => number;
  readonly version: string;
}

interface Call {
  readonly parameters: Parameters;
  readonly request: FastifyRequest;
  readonly signal: AbortSignal;
}
type Endpoint = (call: Call) => Promise<object>;

const linesDefault = 100;
const seriesDefault = 100;
/** How far back a tail without a start begins: senders' clocks run behind, and a line stamped as the socket opened is wanted. */
const tailBackMs = 5_000;
const fieldLinesDefault = 1000;
const fieldsDefault = 1000;
const categorise = "categorize-labels";

const wantsCategories = (request: FastifyRequest) =>
  String(request.headers["x-loki-response-encoding-flags"] ?? "").includes(categorise);

function success(data: unknown): object {
  return { status: "success", data };
}

export async function bindLoki(app: FastifyInstance, parts: LokiParts): Promise<void> {
  const endpoints = endpointsOf(parts);
  const prefix = "/loki/api/v1";
  for (const [path, endpoint] of Object.entries(endpoints))
    app.route({
      method: ["GET", "POST"],
      url: prefix + path,
      handler: async (request, reply) => {
        try {
          parts.guard.require(request, "viewer", false);
          const form = request.method === "POST" ? (request.body as Parameters | null) : {};
          const parameters = { ...(request.query as Parameters), ...form };
          return await endpoint({ parameters, request, signal: goneSignal(reply) });
        } catch (error) {
          return sendError(reply, error);
        }
      },
    });
  await app.register(websocket, { options: { maxPayload: 4096 } });
  await app.register(async (scope) => {
    scope.route({
      method: "GET",
      url: `${prefix}/tail`,
      preValidation: async (request) => {
        parts.guard.require(request, "viewer", false);
      },
      handler: async (_request, reply) =>
        reply.status(400).type("text/plain").send("tail speaks WebSocket"),
      wsHandler: (socket, request) => {
        const parameters = request.query as Parameters;
        try {
          const options = {
            logs: parts.logs,
            query: required(parameters, "query"),
            startNs:
              timeNsOf(parameters, "start") ??
              BigInt(Math.floor(parts.nowMs()) - tailBackMs) * 1_000_000n,
            limit: lineLimitOf(parameters, linesDefault),
            categorised: wantsCategories(request),
          };
          void tail(socket, options);
        } catch (error) {
          socket.close(1008, refusalOf(error).body.error.message.slice(0, 120));
        }
      },
    });
  });
}

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = refusalOf(error);
  return reply
    .status(status === 422 ? 400 : status)
    .type("text/plain")
    .send(body.error.message);
}

function endpointsOf({ logs, nowMs, version }: LokiParts): Readonly<Record<string, Endpoint>> {
  const scopeOf = ({ parameters, signal }: Call) => ({
    query: one(parameters, "query") ?? "",
    ...msRangeOf(parameters, nowMs()),
    signal,
  });
  const requiredScope = (call: Call) => {
    required(call.parameters, "query");
    return scopeOf(call);
  };
  const volumeRequest = (call: Call) => {
    const { parameters } = call;
    const aggregateBy = one(parameters, "aggregateBy") ?? "series";
    if (aggregateBy !== "series" && aggregateBy !== "labels")
      throw new SkoposError("bad-request", 'aggregateBy is "series" or "labels"');
    const targets = one(parameters, "targetLabels")?.split(",");
    return {
      ...requiredScope(call),
      aggregateBy,
      limit: lineLimitOf(parameters, seriesDefault),
      ...(targets === undefined ? {} : { targetLabels: targets }),
    } as const;
  };
  const fieldRequest = (call: Call) => ({
    ...requiredScope(call),
    lineLimit: lineLimitOf(call.parameters, fieldLinesDefault, "line_limit"),
    limit: lineLimitOf(call.parameters, fieldsDefault),
  });
  const labelNames: Endpoint = async ({ parameters }) => {
    const { startMs, endMs } = msRangeOf(parameters, nowMs());
    return success(await logs.labelNames(startMs, endMs));
  };

  return {
    "/query": async ({ parameters, request, signal }) => {
      const endNs = timeNsOf(parameters, "time") ?? BigInt(Math.floor(nowMs())) * 1_000_000n;
      const result = await logs.query({
        query: required(parameters, "query"),
        startNs: endNs,
        endNs,
        limit: lineLimitOf(parameters, linesDefault),
        direction: directionOf(parameters),
        signal,
      });
      if (result.type === "lines")
        throw new SkoposError(
          "bad-request",
          "log queries are not supported as an instant query type, please change your query to a range query type",
        );
      return success(resultData(result, wantsCategories(request)));
    },
    "/query_range": async ({ parameters, request, signal }) => {
      const range = nsRangeOf(parameters, nowMs());
      const result = await logs.query({
        query: required(parameters, "query"),
        ...range,
        limit: lineLimitOf(parameters, linesDefault),
        direction: directionOf(parameters),
        stepMs: stepMsOf(parameters, range),
        signal,
      });
      return success(resultData(result, wantsCategories(request)));
    },
    "/labels": labelNames,
    "/label": labelNames,
    "/label/:name/values": async ({ parameters, request }) => {
      const { name = "" } = request.params as { name?: string };
      const { startMs, endMs } = msRangeOf(parameters, nowMs());
      return success(await logs.labelValues(name, one(parameters, "query"), startMs, endMs));
    },
    "/series": async ({ parameters }) => {
      const { startMs, endMs } = msRangeOf(parameters, nowMs());
      const match = [...all(parameters, "match[]"), ...all(parameters, "match")];
      return success(await logs.streams(match, startMs, endMs));
    },
    "/index/stats": async (call) => logs.stats(requiredScope(call)),
    "/index/volume": async (call) =>
      success(volumeData(await logs.volume(volumeRequest(call)), false)),
    "/index/volume_range": async (call) => {
      const stepMs = stepMsOf(call.parameters, nsRangeOf(call.parameters, nowMs()));
      return success(volumeData(await logs.volume({ ...volumeRequest(call), stepMs }), true));
    },
    "/patterns": async (call) => {
      const stepMs = durationMsOf(call.parameters, "step") ?? 60_000;
      const found = await logs.patterns({ ...requiredScope(call), stepMs });
      return success(
        found.map(({ pattern, samples }) => ({
          pattern,
          samples: samples.map(([timeMs, count]) => [Math.floor(timeMs / 1000), count]),
        })),
      );
    },
    "/detected_fields": async (call) => {
      const request = fieldRequest(call);
      return { fields: await logs.detectedFields(request), limit: request.limit };
    },
    "/detected_field/:name/values": async (call) => {
      const { name = "" } = call.request.params as { name?: string };
      const request = fieldRequest(call);
      return { values: await logs.detectedFieldValues(name, request), limit: request.limit };
    },
    "/detected_labels": async (call) => ({
      detectedLabels: await logs.detectedLabels(scopeOf(call)),
    }),
    "/format_query": async ({ parameters }) =>
      success(format(parse(required(parameters, "query")))),
    "/status/buildinfo": async () => ({
      version: "3.0.0",
      revision: version,
      branch: "skopos",
      buildUser: "",
      buildDate: "",
      goVersion: "",
    }),
  };
}
