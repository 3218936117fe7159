/** Our own API: each route of `@skopos/api` and where its answer comes from. */
import type { Graph, IncidentSummary, NowPage, Session, Status } from "@skopos/api";
import type { IncidentDesk } from "@skopos/incident";
import type { ClusterWatch, Topology } from "@skopos/mesh";
import { type Span, type LogEngine, SkoposError, type TraceEngine } from "@skopos/model";
import type { ApiHandlers } from "../http/bind.ts";
import { type Principal, sessionCookie, type Sessions } from "../http/sessions.ts";
import type { ReadOutline } from "../threads/engines.ts";
import type { QueryPool } from "../threads/query-pool.ts";
import type { RpcCaller } from "../threads/rpc.ts";
import type { TelemetryCalls } from "../threads/telemetry-calls.ts";
import { searchHits } from "../views/search-view.ts";
import { toTraceView } from "../views/trace-view.ts";
import { joinsOf } from "./joins.ts";
import { LogInsight } from "./log-insight.ts";
import type { Practice } from "./practice.ts";
import { serviceSpans } from "./service-spans.ts";
import { TraceInsight } from "./trace-insight.ts";

export interface SkoposParts {
  readonly sessions: Sessions;
  readonly desk: IncidentDesk;
  readonly topology: Topology;
  readonly cluster: ClusterWatch;
  readonly traces: TraceEngine;
  readonly outline: ReadOutline;
  readonly logs: LogEngine;
  readonly telemetry: RpcCaller<TelemetryCalls>;
  readonly practice: Practice;
  readonly pool: QueryPool;
  readonly queryTimeoutMs: number;
  readonly status: () => Promise<Status>;
  readonly clusterName: string;
  readonly practiceAttached: boolean;
  readonly nowMs: () => number;
}

const hourMs = 3_600_000;
const graphWindowMs = 60_000;

function sessionOf(parts: SkoposParts, principal: Principal): Session {
  return {
    user: principal.user,
    role: principal.role,
    csrfToken: principal.csrfToken ?? "",
    cluster: parts.clusterName,
    practice: parts.practiceAttached,
  };
}

/** An hour back from now where the caller names no range. */
function rangeOf(
  parts: SkoposParts,
  query: { start?: number | undefined; end?: number | undefined },
): { startMs: number; endMs: number } {
  const endMs = query.end ?? parts.nowMs();
  const startMs = query.start ?? endMs - hourMs;
  if (startMs > endMs) throw new SkoposError("bad-request", "the range ends before it starts");
  return { startMs, endMs };
}

export function createHandlers(parts: SkoposParts): ApiHandlers {
  const { desk, topology, nowMs } = parts;
  const trouble = (nodeId: string) => desk.trouble(nodeId);
  const graphNow = (): Promise<Graph> =>
    topology.graph({ timeMs: nowMs(), windowMs: graphWindowMs }, trouble);
  const insight = new TraceInsight(parts);
  const logInsight = new LogInsight(parts);
  const traceIdOf = (params: Readonly<Record<string, string>>) =>
    (params["id"] ?? "").toLowerCase();
  const cookie = (value: string, maxAge: number) =>
    `${sessionCookie}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAge}`;

  return {
    session: ({ principal }) => sessionOf(parts, principal),
    signIn: ({ body, reply }) => {
      const opened =
        "code" in body
          ? parts.sessions.redeemCode(body.code)
          : parts.sessions.redeemToken(body.token);
      if (!opened) {
        const what =
          "code" in body
            ? "the link was used already or is too old: restart, or sign in with a token"
            : "the token is not known here";
        throw new SkoposError("unauthenticated", what);
      }
      reply.header("set-cookie", cookie(opened.cookie, 12 * 3600));
      return sessionOf(parts, opened.principal);
    },
    signOut: ({ reply }) => {
      reply.header("set-cookie", cookie("", 0));
      return {};
    },
    status: () => parts.status(),
    now: (): Promise<NowPage> => topology.now(nowMs()),
    search: async ({ query }) => {
      const graph = await graphNow();
      return { hits: searchHits(query.q, graph.nodes, desk.list("all")) };
    },

    graph: ({ query }) =>
      topology.graph(
        {
          timeMs: query.at ?? nowMs(),
          windowMs: query.windowMs ?? graphWindowMs,
          ...(query.namespace === undefined ? {} : { namespace: query.namespace }),
        },
        trouble,
      ),
    service: ({ params, query }) =>
      topology.serviceDetail(
        `${params["namespace"] ?? ""}/${params["name"] ?? ""}`,
        rangeOf(parts, query),
        trouble,
      ),
    changes: ({ query }) => ({
      changes: parts.cluster.changes({
        ...rangeOf(parts, query),
        ...(query.service === undefined ? {} : { serviceId: query.service }),
      }),
    }),

    incidents: ({ query }): { incidents: IncidentSummary[] } => ({
      incidents: desk.list(query.state ?? "all"),
    }),
    incident: ({ params }) => desk.incident(params["id"] ?? ""),
    acknowledge: ({ params, principal }) => desk.acknowledge(params["id"] ?? "", principal.user),
    addNote: ({ params, body, principal }) =>
      desk.addNote(params["id"] ?? "", principal.user, body.text),
    resolve: ({ params, principal }) => desk.resolve(params["id"] ?? "", principal.user),
    planAction: ({ params }) => desk.actions.plan(params["id"] ?? "", params["actionId"] ?? ""),
    approveAction: ({ params, body, principal }) =>
      desk.actions.approve(params["id"] ?? "", params["actionId"] ?? "", {
        by: principal.user,
        confirm: body.confirm,
      }),
    refuseAction: ({ params, principal }) =>
      desk.actions.refuse(params["id"] ?? "", params["actionId"] ?? "", principal.user),
    undoAction: ({ params, body, principal }) =>
      desk.actions.undo(params["id"] ?? "", params["actionId"] ?? "", {
        by: principal.user,
        confirm: body.confirm,
      }),

    traces: async ({ query, signal }) => {
      const found = await parts.traces.search(query.query ?? "", {
        ...rangeOf(parts, query),
        limit: query.limit ?? 50,
        signal,
      });
      return {
        traces: found.traces.map((trace) => ({
          traceId: trace.traceId,
          rootService: trace.rootService,
          rootName: trace.rootName,
          spanCount: trace.spanCount,
          errorCount: trace.errorCount,
          services: { ...trace.services },
          matched: [...trace.matched],
          startNs: trace.startNs.toString(),
          durationMs: trace.durationNs / 1e6,
        })),
        warnings: [...found.warnings],
      };
    },
    trace: async ({ params, signal }) => {
      const id = traceIdOf(params);
      return toTraceView(id, await insight.spans(id, signal));
    },
    traceOutline: ({ params, signal }) => insight.outline(traceIdOf(params), signal),
    traceSpan: ({ params, signal }) =>
      insight.span(traceIdOf(params), params["spanId"] ?? "", signal),
    traceExplanation: ({ params, signal }) => {
      const trace = traceIdOf(params);
      const others = (spans: readonly Span[]) => joinsOf(parts, { trace }, nowMs(), signal, spans);
      return insight.explanation(trace, others, signal);
    },
    tracePeers: ({ params, signal }) => insight.peers(traceIdOf(params), signal),
    traceComparison: ({ query, signal }) =>
      insight.comparison(query.query, query.baseline, rangeOf(parts, query), signal),
    traceGraph: ({ query, signal }) => insight.graph(rangeOf(parts, query), signal),
    traceRed: ({ query, signal }) => insight.red(rangeOf(parts, query), signal),
    serviceSpans: ({ params, query, signal }) =>
      serviceSpans(
        parts.traces,
        `${params["namespace"] ?? ""}/${params["name"] ?? ""}`,
        rangeOf(parts, query),
        signal,
      ),
    joins: ({ query, signal }) => joinsOf(parts, query, nowMs(), signal),
    traceServices: async ({ query }) => {
      const { startMs, endMs } = rangeOf(parts, query);
      return { services: await parts.traces.services(startMs, endMs) };
    },
    logs: ({ query, signal }) =>
      logInsight.lines(
        { query: query.query, ...rangeOf(parts, query), signal },
        {
          limit: query.limit ?? 500,
          direction: query.direction ?? "backward",
          histogram: query.histogram !== "none",
        },
      ),
    logExplanation: ({ query, signal }) =>
      logInsight.explanation({ query: query.query, ...rangeOf(parts, query), signal }),
    logPatterns: ({ query, signal }) =>
      logInsight.patterns({ query: query.query, ...rangeOf(parts, query), signal }, query.newSince),
    logFields: ({ query, signal }) =>
      logInsight.fields({ query: query.query, ...rangeOf(parts, query), signal }),
    queryExplain: ({ query: { query, start, end, step }, signal }) => {
      const { queryTimeoutMs: timeoutMs } = parts;
      const range = { query, startMs: start, endMs: end, stepMs: step, timeoutMs };
      return parts.pool.call("explain", range, { signal, timeoutMs });
    },
    alerts: async () => ({
      groups: (await parts.telemetry.call("rules", null)).map((group) => ({
        name: group.name,
        file: group.file,
        intervalMs: group.intervalMs,
        rules: group.rules.map((rule) => ({
          name: rule.name,
          kind: rule.kind,
          query: rule.query,
          health: rule.health,
          lastError: rule.lastError,
          forMs: rule.forMs,
          lastEvaluationAt: rule.lastEvaluationMs,
          alerts: [...rule.alerts],
        })),
      })),
    }),

    practice: () => parts.practice.state(),
    practiceBreak: ({ body }) => parts.practice.breakIt(body),
    practiceMend: () => parts.practice.mend(),
    practiceLoad: ({ body }) => parts.practice.load(body),
  };
}
