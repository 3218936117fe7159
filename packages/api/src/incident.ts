import { mechanisms, type Mechanism } from "@skopos/model";
import { z } from "zod";
import { entityRef, points } from "./common.ts";
import { change, graphEdge, graphNode } from "./mesh.ts";

const mechanismNames = Object.keys(mechanisms) as [Mechanism, ...Mechanism[]];
const mechanism = z.enum(mechanismNames);

export const alertInstance = z.object({
  fingerprint: z.string(),
  name: z.string(),
  state: z.enum(["pending", "firing", "resolved"]),
  severity: z.string(),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  activeAt: z.number(),
  firedAt: z.number().nullable(),
  resolvedAt: z.number().nullable(),
  value: z.number().nullable(),
});
export type AlertInstance = z.infer<typeof alertInstance>;

/**
 * Something that supports or contradicts a cause and can be opened. `weight` is how much it moved the confidence
 * (−1 to 1); `link` is a path of the web page that shows the same thing in full.
 */
const evidenceBase = {
  id: z.string(),
  statement: z.string(),
  weight: z.number(),
  link: z.string(),
};
export const evidence = z.discriminatedUnion("kind", [
  z.object({
    ...evidenceBase,
    kind: z.literal("metric"),
    query: z.string(),
    unit: z.enum(["ms", "ratio", "per-second", "count", "bytes", "cores"]),
    points,
    /** What is usual, and the moment it stopped being so. */
    normal: z.object({ low: z.number(), high: z.number() }).nullable(),
    onsetAt: z.number().nullable(),
  }),
  z.object({
    ...evidenceBase,
    kind: z.literal("flags"),
    edge: entityRef,
    query: z.string(),
    /** Response flag → requests per second now and before. */
    flags: z.array(
      z.object({
        flag: z.string(),
        meaning: z.string(),
        now: z.number(),
        before: z.number().nullable(),
      }),
    ),
  }),
  z.object({ ...evidenceBase, kind: z.literal("change"), change }),
  z.object({
    ...evidenceBase,
    kind: z.literal("logs"),
    query: z.string(),
    pattern: z.string(),
    count: z.number(),
    example: z.string(),
  }),
  z.object({
    ...evidenceBase,
    kind: z.literal("trace"),
    traceId: z.string(),
    spanName: z.string(),
    service: z.string(),
    durationMs: z.number(),
    usualMs: z.number().nullable(),
  }),
  z.object({ ...evidenceBase, kind: z.literal("config"), object: entityRef, excerpt: z.string() }),
  z.object({ ...evidenceBase, kind: z.literal("topology"), nodes: z.array(z.string()) }),
]);
export type Evidence = z.infer<typeof evidence>;

export const hypothesis = z.object({
  id: z.string(),
  /** The node of the graph where the cause sits. */
  node: entityRef,
  mechanism,
  title: z.string(),
  /** Two sentences. */
  summary: z.string(),
  /** 0 to 1, calibrated as far as measured. */
  confidence: z.number(),
  /** The culprit change, if one is blamed. */
  change: change.nullable(),
  onsetAt: z.number().nullable(),
  /** Strongest first. */
  evidence: z.array(evidence),
  against: z.array(evidence),
});
export type Hypothesis = z.infer<typeof hypothesis>;

export const diagnosis = z.object({
  /** "unknown": looked, and nothing explains it well enough to say so. */
  state: z.enum(["looking", "explained", "unknown"]),
  at: z.number().nullable(),
  tookMs: z.number().nullable(),
  hypotheses: z.array(hypothesis),
  ruledOut: z.array(z.object({ node: entityRef, why: z.string() })),
});
export type Diagnosis = z.infer<typeof diagnosis>;

/** A signal by which an action is judged, before and after. */
export const criterion = z.object({
  id: z.string(),
  title: z.string(),
  query: z.string(),
  unit: z.enum(["ms", "ratio", "per-second", "count"]),
  /** Holds when the value is at most this. */
  atMost: z.number(),
  before: z.number().nullable(),
  now: z.number().nullable(),
  holds: z.boolean().nullable(),
  points,
});
export type Criterion = z.infer<typeof criterion>;

const actionState = z.enum([
  "proposed",
  "planning",
  "awaiting-approval",
  "executing",
  "verifying",
  "succeeded",
  "undoing",
  "undone",
  "failed",
  "refused",
  "expired",
]);
export type ActionState = z.infer<typeof actionState>;

export const action = z.object({
  id: z.string(),
  incidentId: z.string(),
  hypothesisId: z.string(),
  kind: z.enum(["rollout-undo", "restore-object", "delete-object", "recreate-object", "scale"]),
  target: entityRef,
  /** "Undo the rollout of user-service to revision 3". */
  title: z.string(),
  why: z.string(),
  state: actionState,
  plan: z
    .object({
      at: z.number(),
      /** Unified diff between the live object and what the server-side dry run answered. */
      diff: z.string(),
      /** The precondition: nothing is written when the object has moved on. */
      resourceVersion: z.string(),
      blastRadius: z.string(),
      undo: z.string(),
      warnings: z.array(z.string()),
      expiresAt: z.number(),
    })
    .nullable(),
  criteria: z.array(criterion),
  /** While verifying: how long the criteria must hold, and since when they do. */
  holdMs: z.number(),
  heldSince: z.number().nullable(),
  deadlineAt: z.number().nullable(),
  approvedBy: z.string().nullable(),
  startedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
  /** Why it failed, was refused or undone. */
  outcome: z.string().nullable(),
});
export type Action = z.infer<typeof action>;

/** The runbook that belongs to the first hypothesis: its steps with what is already known filled in. */
const runbookStep = z.object({
  id: z.string(),
  title: z.string(),
  state: z.enum(["done", "next", "later", "skipped"]),
  result: z.string().nullable(),
  actionId: z.string().nullable(),
});
export const runbook = z.object({ id: z.string(), title: z.string(), steps: z.array(runbookStep) });
export type Runbook = z.infer<typeof runbook>;

export const timelineEntry = z.object({
  sequence: z.number(),
  at: z.number(),
  kind: z.enum(["alert", "change", "diagnosis", "action", "note", "state", "message"]),
  text: z.string(),
  /** A person, or "skopos". */
  by: z.string(),
  link: z.string().nullable(),
});
export type TimelineEntry = z.infer<typeof timelineEntry>;

const incidentState = z.enum(["open", "acknowledged", "mitigating", "resolved"]);
export const incidentSummary = z.object({
  id: z.string(),
  title: z.string(),
  severity: z.enum(["critical", "warning", "info"]),
  state: incidentState,
  /** When the trouble began, as far as the data tell. */
  startedAt: z.number(),
  detectedAt: z.number(),
  explainedAt: z.number().nullable(),
  resolvedAt: z.number().nullable(),
  owner: z.string().nullable(),
  /** The first hypothesis in short. */
  cause: z.object({ node: entityRef, mechanism, confidence: z.number() }).nullable(),
  services: z.array(entityRef),
  alertsFiring: z.number(),
});
export type IncidentSummary = z.infer<typeof incidentSummary>;

export const incident = incidentSummary.extend({
  alerts: z.array(alertInstance),
  impact: z.object({
    failedRequests: z.number().nullable(),
    /** Share of the requests at the gateways that failed or were slow, since the start. */
    userErrorRatio: z.number().nullable(),
    userErrorPoints: points,
  }),
  /** Cause → victims, nothing else. */
  slice: z.object({
    nodes: z.array(graphNode),
    edges: z.array(graphEdge),
    causeId: z.string().nullable(),
  }),
  diagnosis,
  actions: z.array(action),
  runbook: runbook.nullable(),
  timeline: z.array(timelineEntry),
});
export type Incident = z.infer<typeof incident>;

/** The confirmation names the target, so that nobody approves the wrong thing. */
export const approval = z.object({ confirm: z.string().min(1).max(300) });
export const note = z.object({ text: z.string().trim().min(1).max(10_000) });
