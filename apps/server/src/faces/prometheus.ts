/** Prometheus's HTTP API, version 1, as its clients call it: GET or POST, times as unix seconds or RFC 3339. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Matcher, messageOf, parseDuration, SkoposError } from "@skopos/model";
import { parseSelector } from "@skopos/promql/syntax";
import { goneSignal } from "../http/bind.ts";
import type { Guard } from "../http/guard.ts";
import { refusalOf } from "../http/problems.ts";
import type { QueryPool } from "../threads/query-pool.ts";
import type { RpcCaller } from "../threads/rpc.ts";
import type { RuleGroupState, TelemetryCalls } from "../threads/telemetry-calls.ts";

type Fields = Readonly<Record<string, string | string[] | undefined>>;

const errorTypes: Readonly<Record<string, string>> = {
  "bad-query": "bad_data",
  "bad-request": "bad_data",
  "bad-duration": "bad_data",
  "bad-regex": "bad_data",
  limit: "execution",
  execution: "execution",
  cancelled: "canceled",
  timeout: "timeout",
  "not-found": "not_found",
  unavailable: "unavailable",
  overloaded: "unavailable",
};
const statusOfType: Readonly<Record<string, number>> = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  not_found: 404,
  unavailable: 503,
};

const pointsMax = 11_000;
const seriesMax = 100_000;
/** Prometheus's own bounds for "all time". */
const minTimeMs = -8.64e15;
const maxTimeMs = 8.64e15;

export interface PrometheusParts {
  readonly guard: Guard;
  readonly pool: QueryPool;
  readonly telemetry: RpcCaller<TelemetryCalls>;
  readonly nowMs: () => number;
  readonly timeoutMs: number;
  readonly version: string;
}

type Answer = (fields: Fields, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export function bindPrometheus(app: FastifyInstance, parts: PrometheusParts): void {
  const bind = (path: string, answer: Answer, methods: ("GET" | "POST")[] = ["GET"]) => {
    app.route({
      method: methods,
      url: path,
      handler: async (request, reply) => {
        try {
          parts.guard.require(request, "viewer", false);
          const fields = {
            ...(request.query as Fields),
            ...(request.method === "POST" ? (request.body as Fields | null) : {}),
          };
          const data = await answer(fields, request, reply);
          return data instanceof Uint8Array
            ? await reply.type("application/json").send(data)
            : await reply.send({ status: "success", data });
        } catch (error) {
          return sendError(reply, error);
        }
      },
    });
  };
  const both: ("GET" | "POST")[] = ["GET", "POST"];
  bind(
    "/api/v1/query",
    (fields, _request, reply) => instant(parts, fields, goneSignal(reply)),
    both,
  );
  bind(
    "/api/v1/query_range",
    (fields, _request, reply) => range(parts, fields, goneSignal(reply)),
    both,
  );
  bind(
    "/api/v1/format_query",
    async (fields) => parts.pool.call("formatQuery", { query: required(fields, "query") }),
    both,
  );
  bind("/api/v1/query_exemplars", async () => [], both);
  bind(
    "/api/v1/series",
    async (fields) => {
      const request = seriesRequest(parts, fields);
      if (request.matcherSets.length === 0)
        throw new SkoposError("bad-request", "no match[] parameter provided");
      return parts.pool.call("series", request);
    },
    both,
  );
  bind(
    "/api/v1/labels",
    async (fields) => parts.pool.call("labelNames", seriesRequest(parts, fields)),
    both,
  );
  bind("/api/v1/label/:name/values", async (fields, request) => {
    const { name } = request.params as { name: string };
    return parts.pool.call("labelValues", { ...seriesRequest(parts, fields), name });
  });
  bind("/api/v1/metadata", async (fields) =>
    parts.telemetry.call("metadata", {
      metric: one(fields, "metric"),
      limit: Number(one(fields, "limit") ?? seriesMax),
    }),
  );
  bind("/api/v1/targets", async () => targets(parts));
  bind("/api/v1/rules", async (fields) =>
    rules(await parts.telemetry.call("rules", null), one(fields, "type")),
  );
  bind("/api/v1/alerts", async () => ({
    alerts: alertsOf(await parts.telemetry.call("rules", null)),
  }));
  bind("/api/v1/status/buildinfo", async () => ({
    version: "3.0.0",
    revision: parts.version,
    branch: "skopos",
    buildUser: "",
    buildDate: "",
    goVersion: "",
  }));
  bind("/api/v1/status/runtimeinfo", async () => {
    const stats = await parts.telemetry.call("stats", null);
    return { timeSeriesCount: stats.seriesActive, storageRetention: "", reloadConfigSuccess: true };
  });
}

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = refusalOf(error);
  const errorType = errorTypes[body.error.code] ?? (status >= 500 ? "internal" : "bad_data");
  return reply
    .status(statusOfType[errorType] ?? status)
    .send({ status: "error", errorType, error: body.error.message });
}

async function instant(
  parts: PrometheusParts,
  fields: Fields,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const query = required(fields, "query");
  const timeMs = timeOf(fields, "time") ?? parts.nowMs();
  const timeoutMs = timeoutOf(parts, fields);
  return parts.pool.call("instantJson", { query, timeMs, timeoutMs }, { signal, timeoutMs });
}

async function range(
  parts: PrometheusParts,
  fields: Fields,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const query = required(fields, "query");
  const startMs = timeOf(fields, "start");
  const endMs = timeOf(fields, "end");
  if (startMs === undefined || endMs === undefined)
    throw new SkoposError("bad-request", "start and end are required");
  const stepMs = spanMs(required(fields, "step"), "step");
  if (stepMs <= 0)
    throw new SkoposError(
      "bad-request",
      "zero or negative query resolution step widths are not accepted",
    );
  if (endMs < startMs)
    throw new SkoposError("bad-request", "end timestamp must not be before start time");
  if ((endMs - startMs) / stepMs > pointsMax) {
    throw new SkoposError(
      "bad-request",
      `exceeded maximum resolution of ${pointsMax} points per timeseries: use a larger step`,
    );
  }
  const timeoutMs = timeoutOf(parts, fields);
  return parts.pool.call(
    "rangeJson",
    { query, startMs, endMs, stepMs, timeoutMs },
    { signal, timeoutMs },
  );
}

function seriesRequest(
  parts: PrometheusParts,
  fields: Fields,
): { matcherSets: Matcher[][]; startMs: number; endMs: number; limit: number } {
  const match = fields["match[]"];
  const selectors = match === undefined ? [] : Array.isArray(match) ? match : [match];
  const limit = Number(one(fields, "limit") ?? 0);
  return {
    matcherSets: selectors.map((text) => [...parseSelector(text)]),
    startMs: timeOf(fields, "start") ?? minTimeMs,
    endMs: timeOf(fields, "end") ?? parts.nowMs(),
    limit: limit > 0 ? Math.min(limit, seriesMax) : seriesMax,
  };
}

async function targets(parts: PrometheusParts): Promise<unknown> {
  const all = await parts.telemetry.call("targets", null);
  const activeTargets = all.map((target) => ({
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.job,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: target.lastError,
    lastScrape:
      target.lastScrapeMs === null
        ? "0001-01-01T00:00:00Z"
        : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.durationMs === null ? 0 : target.durationMs / 1000,
    health: target.health,
    scrapeInterval: `${target.intervalMs / 1000}s`,
    scrapeTimeout: `${target.timeoutMs / 1000}s`,
  }));
  return { activeTargets, droppedTargets: [], droppedTargetCounts: {} };
}

function alertsOf(groups: readonly RuleGroupState[]) {
  return groups.flatMap((group) =>
    group.rules.flatMap((rule) =>
      rule.alerts.filter((alert) => alert.state !== "resolved").map(alertJson),
    ),
  );
}

function alertJson(alert: RuleGroupState["rules"][number]["alerts"][number]) {
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    state: alert.state,
    activeAt: new Date(alert.activeAt).toISOString(),
    value: alert.value === null ? "NaN" : String(alert.value),
  };
}

function rules(groups: readonly RuleGroupState[], type: string | undefined): unknown {
  const wanted = type === "alert" || type === "record" ? type : undefined;
  return {
    groups: groups.map((group) => ({
      name: group.name,
      file: group.file,
      interval: group.intervalMs / 1000,
      limit: group.limit,
      evaluationTime: (group.evaluationMs ?? 0) / 1000,
      lastEvaluation: new Date(group.lastEvaluationMs ?? 0).toISOString(),
      rules: group.rules
        .filter((rule) => wanted === undefined || rule.kind === wanted)
        .map(ruleJson),
    })),
  };
}

function ruleJson(rule: RuleGroupState["rules"][number]) {
  const base = {
    name: rule.name,
    query: rule.query,
    labels: rule.labels,
    health: rule.health === "unknown" ? "unknown" : rule.health,
    ...(rule.lastError === null ? {} : { lastError: rule.lastError }),
    evaluationTime: (rule.evaluationMs ?? 0) / 1000,
    lastEvaluation: new Date(rule.lastEvaluationMs ?? 0).toISOString(),
  };
  if (rule.kind === "record") return { ...base, type: "recording" };
  const active = rule.alerts.filter((alert) => alert.state !== "resolved");
  const state = active.some((alert) => alert.state === "firing")
    ? "firing"
    : active.length > 0
      ? "pending"
      : "inactive";
  return {
    ...base,
    type: "alerting",
    state,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    annotations: rule.annotations,
    alerts: active.map(alertJson),
  };
}

function one(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return Array.isArray(value) ? value[0] : value;
}

function required(fields: Fields, name: string): string {
  const value = one(fields, name);
  if (value === undefined || value === "")
    throw new SkoposError("bad-request", `invalid parameter "${name}": it is missing`);
  return value;
}

function timeOf(fields: Fields, name: string): number | undefined {
  const text = one(fields, name);
  if (text === undefined || text === "") return undefined;
  const seconds = Number(text);
  if (!Number.isNaN(seconds))
    return Math.round(Math.min(Math.max(seconds * 1000, minTimeMs), maxTimeMs));
  const parsed = Date.parse(text);
  if (Number.isNaN(parsed))
    throw new SkoposError(
      "bad-request",
      `invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid timestamp`,
    );
  return parsed;
}

/** A duration as seconds or in Prometheus's form. */
function spanMs(text: string, name: string): number {
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return Math.round(seconds * 1000);
  try {
    return parseDuration(text);
  } catch (error) {
    throw new SkoposError("bad-request", `invalid parameter "${name}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function timeoutOf(parts: PrometheusParts, fields: Fields): number {
  const text = one(fields, "timeout");
  return text === undefined ? parts.timeoutMs : Math.min(spanMs(text, "timeout"), parts.timeoutMs);
}
