/** Prometheus's HTTP API, version 1, at its usual paths: GET or POST with a form. Source: its OpenAPI description. */
import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Role } from "@skopos/api";
import { parseScrapeConfig } from "@skopos/ingest";
import { type LabelMap, SkoposError } from "@skopos/model";
import type { HeadShare } from "@skopos/store";
import type { ServerConfig } from "../../config.ts";
import { goneSignal } from "../../http/bind.ts";
import { type SentBody, sendBig, sentOnce } from "../../http/big-answer.ts";
import type { Guard } from "../../http/guard.ts";
import { streamAnswer } from "../../threads/answer-stream.ts";
import type { QueryPool } from "../../threads/query-pool.ts";
import type { RpcCaller } from "../../threads/rpc.ts";
import type { TelemetryCalls } from "../../threads/telemetry-calls.ts";
import { bindFederation } from "./federation.ts";
import { AnswerTags, type TaggedQuery } from "./answer-tags.ts";
import { FinalAnswers } from "./final-answers.ts";
import type { SelfMetrics } from "../self.ts";
import { Answer, envelope, sendError } from "./answer.ts";
import { shownConfig, shownPool } from "./config-text.ts";
import { unescapeLabelName } from "./label-name.ts";
import {
  limitOf,
  one,
  type Parameters,
  required,
  seriesMax,
  seriesRequestOf,
} from "./parameters.ts";
import { exemplarSeriesJson, instantQueryOf, rangeQueryOf } from "./queries.ts";
import { alertsOf, rulesOf } from "./rules.ts";
import {
  buildInfo,
  features,
  flagsOf,
  Notifications,
  runtimeInfo,
  selfMetricsOf,
  tsdbStatus,
} from "./status.ts";
import { relabelStepsOf, targetMetadataOf, targetsOf } from "./targets.ts";

export interface PrometheusParts {
  readonly guard: Guard;
  readonly pool: Pick<QueryPool, "call">;
  readonly telemetry: RpcCaller<TelemetryCalls>;
  readonly self: SelfMetrics;
  readonly head: HeadShare;
  readonly nowMs: () => number;
  readonly version: string;
  readonly config: ServerConfig;
  readonly scrapeConfig: { readonly text: string; readonly file: string };
  readonly externalLabels: LabelMap;
}

/** What an endpoint is asked. */
interface Asked {
  readonly parameters: Parameters;
  readonly path: Readonly<Record<string, string>>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

type Method = "GET" | "POST" | "PUT";
/** Bytes and streams are sent as they are, anything else becomes `data`. */
type Endpoint = (asked: Asked) => unknown;

const metadataMax = 100_000;
const topTen = 10;
const topMax = 10_000;

class Routes {
  readonly #app: FastifyInstance;
  readonly #guard: Guard;

  constructor(app: FastifyInstance, guard: Guard) {
    this.#app = app;
    this.#guard = guard;
  }

  get(path: string, endpoint: Endpoint): void {
    this.#route(["GET"], path, "viewer", endpoint);
  }

  /** For parameters that may be too long for a URL. */
  getOrPost(path: string, endpoint: Endpoint): void {
    this.#route(["GET", "POST"], path, "viewer", endpoint);
  }

  change(path: string, endpoint: Endpoint): void {
    this.#route(["POST", "PUT"], path, "admin", endpoint);
  }

  #route(methods: Method[], path: string, role: Role, endpoint: Endpoint): void {
    this.#app.route({
      method: methods,
      url: `/api/v1${path}`,
      handler: async (request, reply) => {
        try {
          this.#guard.require(request, role, role === "admin");
          const answer = await endpoint({
            parameters: {
              ...(request.query as Parameters),
              ...(request.method === "GET" ? {} : (request.body as Parameters | null)),
            },
            path: request.params as Record<string, string>,
            request,
            reply,
            signal: goneSignal(reply),
          });
          if (reply.sent) return await reply;
          return await reply.type("application/json").send(envelope(answer));
        } catch (error) {
          if (reply.sent) return reply;
          return sendError(reply, error);
        }
      },
    });
  }
}

export function bindPrometheus(app: FastifyInstance, parts: PrometheusParts): void {
  const routes = new Routes(app, parts.guard);
  bindQueries(routes, parts);
  bindLabels(routes, parts);
  bindScraping(routes, parts);
  bindRules(routes, parts);
  bindStatus(routes, parts);
  bindAdmin(routes, parts);
  bindFederation(app, parts);
}

function bindQueries(routes: Routes, { pool, config, nowMs, head }: PrometheusParts): void {
  const tags = new AnswerTags(head);
  const finals = new FinalAnswers();
  const answer = async (
    { request, reply, signal }: Asked,
    query: TaggedQuery,
    evaluate: (options: {
      signal: AbortSignal;
      timeoutMs: number;
    }) => Promise<Uint8Array | Readable>,
  ) => {
    const tag = tags.of(query);
    if (tag !== undefined) {
      reply.header("etag", tag);
      if (request.headers["if-none-match"]?.includes(tag))
        return void (await reply.status(304).send());
    }
    let body: SentBody | Readable | undefined = tag === undefined ? undefined : finals.of(tag);
    if (!body) {
      body = sentOnce(await evaluate({ signal, timeoutMs: query.timeoutMs }));
      if (tag !== undefined && "bytes" in body) finals.keep(tag, body);
    }
    await sendBig(request, reply.type("application/json"), body);
  };
  routes.getOrPost("/query", (asked) => {
    const query = instantQueryOf(asked.parameters, nowMs(), config.query.timeout);
    return answer(asked, query, (options) =>
      streamAnswer(pool, "instantJson", query, { ...options, affinity: query.query }),
    );
  });
  routes.getOrPost("/query_range", (asked) => {
    const query = rangeQueryOf(asked.parameters, config.query.timeout);
    return answer(asked, query, (options) =>
      streamAnswer(pool, "rangeJson", query, { ...options, affinity: query.query }),
    );
  });
  routes.getOrPost("/query_exemplars", async ({ parameters, signal }) => {
    const { startMs, endMs } = seriesRequestOf({ ...parameters, "match[]": undefined });
    const query = required(parameters, "query");
    const limit = seriesMax;
    const found = await pool.call("exemplars", { query, startMs, endMs, limit }, { signal });
    return found.map(exemplarSeriesJson);
  });
  routes.getOrPost("/format_query", ({ parameters, signal }) =>
    pool.call("formatQuery", { query: required(parameters, "query") }, { signal }),
  );
  routes.getOrPost("/parse_query", ({ parameters, signal }) =>
    pool.call("parseQuery", { query: required(parameters, "query") }, { signal }),
  );
}

function bindLabels(routes: Routes, { pool, telemetry }: PrometheusParts): void {
  routes.getOrPost("/series", async ({ parameters, signal }) => {
    const request = seriesRequestOf(parameters);
    if (request.matcherSets.length === 0)
      throw new SkoposError("bad-request", "no match[] parameter provided");
    return Answer.cut(await pool.call("series", request, { signal }), request.limit - 1);
  });
  routes.getOrPost("/labels", async ({ parameters, signal }) => {
    const request = seriesRequestOf(parameters);
    return Answer.cut(await pool.call("labelNames", request, { signal }), request.limit - 1);
  });
  routes.get("/label/:name/values", async ({ parameters, path, signal }) => {
    const name = unescapeLabelName(path["name"] ?? "");
    const request = seriesRequestOf(parameters);
    const values = await pool.call("labelValues", { ...request, name }, { signal });
    return Answer.cut(values, request.limit - 1);
  });
  routes.get("/metadata", ({ parameters }) =>
    telemetry.call("metadata", {
      metric: one(parameters, "metric"),
      limit: limitOf(parameters) ?? metadataMax,
    }),
  );
}

function bindScraping(routes: Routes, { telemetry, scrapeConfig }: PrometheusParts): void {
  const configs = async () => [scrapeConfig, ...(await telemetry.call("clusterScrapeTexts", null))];
  routes.get("/targets", async ({ parameters }) => {
    const [active, dropped] = await Promise.all([
      telemetry.call("targets", null),
      telemetry.call("droppedTargets", null),
    ]);
    return targetsOf(active, dropped, parameters);
  });
  routes.get("/targets/metadata", async ({ parameters }) =>
    targetMetadataOf(await telemetry.call("targetMetadata", null), parameters),
  );
  routes.get("/targets/relabel_steps", async ({ parameters }) => {
    const jobs = (await configs()).flatMap(({ text, file }) => parseScrapeConfig(text, file).jobs);
    return relabelStepsOf(jobs, parameters);
  });
  routes.get("/scrape_pools", async () => {
    const pools = await telemetry.call("scrapePools", null);
    return { scrapePools: pools.map(({ job }) => job).sort() };
  });
  routes.get("/scrape_pools/config", async ({ parameters }) => {
    const name = required(parameters, "scrapePool");
    const texts = (await configs()).map(({ text }) => text);
    const yaml = shownPool(texts, name);
    if (yaml === undefined)
      throw new SkoposError("not-found", `there is no scrape pool ${JSON.stringify(name)}`);
    return { yaml };
  });
}

function bindRules(routes: Routes, { telemetry, config }: PrometheusParts): void {
  routes.get("/rules", async ({ parameters }) =>
    rulesOf(await telemetry.call("rules", null), parameters),
  );
  routes.get("/alerts", async () => ({ alerts: alertsOf(await telemetry.call("rules", null)) }));
  // Who is told of alerts; Prometheus would list its Alertmanagers here.
  routes.get("/alertmanagers", () => ({
    activeAlertmanagers: config.webhooks.map(({ url }) => ({ url: withoutSecrets(url) })),
    droppedAlertmanagers: [],
  }));
}

function withoutSecrets(text: string): string {
  const url = new URL(text);
  return `${url.origin}${url.pathname}`;
}

function bindStatus(routes: Routes, parts: PrometheusParts): void {
  const { telemetry, pool, config, scrapeConfig, version, nowMs, self } = parts;
  const startedAtMs = nowMs();
  const notifications = new Notifications();
  routes.get("/status/config", async () => {
    const cluster = await telemetry.call("clusterScrapeTexts", null);
    return {
      yaml: shownConfig(
        scrapeConfig.text,
        cluster.map(({ text }) => text),
      ),
    };
  });
  routes.get("/status/flags", () => flagsOf(config));
  routes.get("/status/buildinfo", () => buildInfo(version));
  routes.get("/status/runtimeinfo", () => runtimeInfo(startedAtMs, nowMs(), config.head.retention));
  routes.get("/status/tsdb", async ({ parameters, signal }) => {
    const limit = Math.min(limitOf(parameters) ?? topTen, topMax);
    const [stats, cardinality] = await Promise.all([
      telemetry.call("stats", null),
      pool.call("cardinality", { limit }, { signal }),
    ]);
    return tsdbStatus(stats, cardinality);
  });
  // Samples rest in a head and in ClickHouse, not in blocks.
  routes.get("/status/tsdb/blocks", () => ({ blocks: [] }));
  // Whoever answers has replayed its journal: nothing listens before.
  routes.get("/status/walreplay", () => ({ min: 0, max: 0, current: 0 }));
  routes.get("/status/self_metrics", async ({ parameters }) =>
    selfMetricsOf(await self.families(), one(parameters, "metric_name_pattern")),
  );
  routes.get("/features", () => features());
  routes.get("/notifications", async () =>
    notifications.list((await telemetry.call("stats", null)).warnings, nowMs()),
  );
}

function bindAdmin(routes: Routes, { telemetry }: PrometheusParts): void {
  const notYet = (what: string) => () => {
    throw new SkoposError("not-supported", `${what} is not supported by this server`);
  };
  routes.change("/admin/tsdb/delete_series", async ({ parameters, reply }) => {
    const { matcherSets, startMs, endMs } = seriesRequestOf(parameters);
    if (matcherSets.length === 0)
      throw new SkoposError("bad-request", "no match[] parameter provided");
    await telemetry.call("deleteSeries", { matcherSets, startMs, endMs });
    await reply.code(204).send();
  });
  routes.change("/admin/tsdb/clean_tombstones", async ({ reply }) => {
    await telemetry.call("cleanTombstones", null);
    await reply.code(204).send();
  });
  routes.change(
    "/admin/tsdb/snapshot",
    notYet("a snapshot in Prometheus's block format (samples rest in a journal and ClickHouse)"),
  );
}
