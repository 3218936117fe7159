/**
 * Every call of our own API, once: method, path below `/api/skopos/v1`, and the schemas of what goes in and comes out.
 * `server` validates with them, the client is typed by them.
 */
import { z } from "zod";
import type { role } from "./common.ts";
import { action, approval, incident, incidentSummary, note } from "./incident.ts";
import { logExplanation, logFields, logPatterns } from "./logs.ts";
import { change, graph, serviceDetail } from "./mesh.ts";
import { session, signIn, status } from "./session.ts";
import {
  alertsPage,
  logResult,
  now,
  practiceBreak,
  practiceLoad,
  practiceState,
  queryExplanation,
  searchResult,
  trace,
  traceSearchResult,
} from "./telemetry.ts";
import {
  joins,
  serviceSpans,
  traceComparison,
  traceExplanation,
  traceGraph,
  traceOutline,
  tracePeers,
  traceRed,
  traceSpan,
} from "./traces.ts";

const none = z.object({});
const ms = z.coerce.number().int().min(0);
const range = { start: ms.optional(), end: ms.optional() };
const logRange = z.object({ ...range, query: z.string().max(5000) });

interface Route<Query extends z.ZodType, Body extends z.ZodType, Reply extends z.ZodType> {
  readonly method: "GET" | "POST" | "DELETE";
  /** `:name` parts are path parameters. */
  readonly path: string;
  /** The least role that may call it; "anyone" needs no session. */
  readonly role: z.infer<typeof role> | "anyone";
  readonly query: Query;
  readonly body: Body;
  readonly reply: Reply;
}

function get<Query extends z.ZodType, Reply extends z.ZodType>(
  path: string,
  query: Query,
  reply: Reply,
): Route<Query, typeof none, Reply> {
  return { method: "GET", path, role: "viewer", query, body: none, reply };
}

function post<Body extends z.ZodType, Reply extends z.ZodType>(
  path: string,
  least: z.infer<typeof role> | "anyone",
  body: Body,
  reply: Reply,
): Route<typeof none, Body, Reply> {
  return { method: "POST", path, role: least, query: none, body, reply };
}

export const apiPrefix = "/api/skopos/v1";

export const routes = {
  session: get("/session", none, session),
  signIn: post("/session", "anyone", signIn, session),
  signOut: {
    method: "DELETE",
    path: "/session",
    role: "viewer",
    query: none,
    body: none,
    reply: none,
  },
  status: get("/status", none, status),
  now: get("/now", none, now),
  search: get("/search", z.object({ q: z.string().max(500) }), searchResult),

  graph: get(
    "/mesh/graph",
    z.object({ at: ms.optional(), windowMs: ms.optional(), namespace: z.string().optional() }),
    graph,
  ),
  service: get("/mesh/services/:namespace/:name", z.object(range), serviceDetail),
  changes: get(
    "/changes",
    z.object({ ...range, service: z.string().optional() }),
    z.object({ changes: z.array(change) }),
  ),

  incidents: get(
    "/incidents",
    z.object({ state: z.enum(["open", "resolved", "all"]).optional() }),
    z.object({ incidents: z.array(incidentSummary) }),
  ),
  incident: get("/incidents/:id", none, incident),
  acknowledge: post("/incidents/:id/acknowledge", "responder", none, incident),
  addNote: post("/incidents/:id/notes", "responder", note, incident),
  resolve: post("/incidents/:id/resolve", "responder", none, incident),
  planAction: post("/incidents/:id/actions/:actionId/plan", "responder", none, action),
  approveAction: post("/incidents/:id/actions/:actionId/approve", "approver", approval, action),
  refuseAction: post("/incidents/:id/actions/:actionId/refuse", "responder", none, action),
  undoAction: post("/incidents/:id/actions/:actionId/undo", "approver", approval, action),

  traces: get(
    "/traces",
    z.object({
      ...range,
      query: z.string().max(5000).optional(),
      limit: z.coerce.number().int().min(1).max(1000).optional(),
    }),
    traceSearchResult,
  ),
  trace: get("/traces/:id", none, trace),
  traceOutline: get("/traces/:id/outline", none, traceOutline),
  traceSpan: get("/traces/:id/spans/:spanId", none, traceSpan),
  traceExplanation: get("/traces/:id/explanation", none, traceExplanation),
  tracePeers: get("/traces/:id/peers", none, tracePeers),
  /** `query` selects the traces, `baseline` (the rest of the same range when absent) those to compare them with. */
  traceComparison: get(
    "/trace-comparison",
    z.object({
      ...range,
      query: z.string().max(5000),
      baseline: z.string().max(5000).optional(),
    }),
    traceComparison,
  ),
  traceGraph: get("/trace-graph", z.object(range), traceGraph),
  traceRed: get("/trace-red", z.object(range), traceRed),
  serviceSpans: get("/mesh/services/:namespace/:name/spans", z.object(range), serviceSpans),
  /** At least one of `trace`, `request`, or `service` with `at`. */
  joins: get(
    "/joins",
    z.object({
      trace: z.string().max(64).optional(),
      span: z.string().max(32).optional(),
      request: z.string().max(200).optional(),
      service: z.string().max(500).optional(),
      at: ms.optional(),
    }),
    joins,
  ),
  traceServices: get(
    "/trace-services",
    z.object(range),
    z.object({ services: z.array(z.string()) }),
  ),
  logs: get(
    "/logs",
    z.object({
      ...range,
      query: z.string().max(5000),
      limit: z.coerce.number().int().min(1).max(5000).optional(),
      direction: z.enum(["backward", "forward"]).optional(),
      /** "none" for those who only read lines. */
      histogram: z.enum(["none"]).optional(),
    }),
    logResult,
  ),
  logExplanation: get("/log-explanation", logRange, logExplanation),
  /** Of the streams that the query selects; its further stages are not looked at. */
  /** `newSince`, in Unix ms: only patterns first seen at or after it. */
  logPatterns: get("/log-patterns", logRange.extend({ newSince: ms.optional() }), logPatterns),
  logFields: get("/log-fields", logRange, logFields),
  /** Runs a range query for what it costs. `step` in milliseconds. */
  queryExplain: get(
    "/query-explain",
    z.object({
      query: z.string().min(1).max(10_000),
      start: ms,
      end: ms,
      step: z.coerce.number().int().min(1),
    }),
    queryExplanation,
  ),
  alerts: get("/alerts", none, alertsPage),

  practice: get("/practice", none, practiceState),
  practiceBreak: post("/practice/break", "admin", practiceBreak, practiceState),
  practiceMend: post("/practice/mend", "admin", none, practiceState),
  practiceLoad: post("/practice/load", "admin", practiceLoad, practiceState),
} as const satisfies Record<string, Route<z.ZodType, z.ZodType, z.ZodType>>;

export type RouteName = keyof typeof routes;
export type QueryOf<Name extends RouteName> = z.input<(typeof routes)[Name]["query"]>;
export type BodyOf<Name extends RouteName> = z.input<(typeof routes)[Name]["body"]>;
export type ReplyOf<Name extends RouteName> = z.infer<(typeof routes)[Name]["reply"]>;
