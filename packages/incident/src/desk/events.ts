/**
 * Everything that ever happens to an incident, as events. The desk's state is these events folded in order, nothing else;
 * the timeline is the same events in words. Events are only ever added: a field that comes later is optional.
 */
import {
  action,
  alertInstance,
  change,
  criterion,
  diagnosis,
  entityRef,
  graphEdge,
  graphNode,
} from "@skopos/api";
import type { KubeObject } from "@skopos/mesh";
import { SkoposError } from "@skopos/model";
import { z } from "zod";

/** An object of the Kubernetes API: open JSON, whose shape was checked when it was read. */
const kubeObject = z.custom<KubeObject>(
  (value) => typeof value === "object" && value !== null && "kind" in value && "metadata" in value,
);
const objectRef = z.object({
  kind: z.string(),
  namespace: z.string().optional(),
  name: z.string(),
});

/** A write to one object, worked out in full before anybody approves it. */
const write = z.discriminatedUnion("method", [
  z.object({ method: z.literal("replace"), object: kubeObject }),
  z.object({
    method: z.literal("json-patch"),
    ref: objectRef,
    operations: z.array(z.record(z.string(), z.unknown())),
  }),
  z.object({
    method: z.literal("merge-patch"),
    ref: objectRef,
    body: z.record(z.string(), z.unknown()),
  }),
  z.object({ method: z.literal("delete"), ref: objectRef }),
  z.object({ method: z.literal("create"), object: kubeObject }),
]);
export type Write = z.infer<typeof write>;

const changeRecord = z.object({
  change,
  before: kubeObject.nullable(),
  after: kubeObject.nullable(),
});

/** What a plan needs to be carried out, judged and undone; more than people are shown. */
const planned = z.object({
  plan: action.shape.plan.unwrap(),
  write,
  /** The object as it was when the plan was made; null when there was none. */
  preImage: kubeObject.nullable(),
  /** The object as the dry run says it will be; null when it will be gone. */
  expected: kubeObject.nullable(),
  criteria: z.array(criterion),
});
export type Planned = z.infer<typeof planned>;

const slice = z.object({
  nodes: z.array(graphNode),
  edges: z.array(graphEdge),
  causeId: z.string().nullable(),
});
const at = z.number();
const incidentId = z.string();
const onAction = { at, incidentId, actionId: z.string() };

const deskEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("change-seen"), at, record: changeRecord }),
  z.object({
    type: z.literal("incident-opened"),
    at,
    incidentId,
    startedAt: z.number(),
    title: z.string(),
    /** The services where the trouble may come from, as the graph showed when it began. */
    roots: z.array(z.string()),
    alert: alertInstance,
    service: entityRef.nullable(),
  }),
  z.object({
    type: z.literal("alert-joined"),
    at,
    incidentId,
    alert: alertInstance,
    service: entityRef.nullable(),
    roots: z.array(z.string()),
    /** It began before the incident was over, and is told after. */
    late: z.boolean(),
  }),
  z.object({ type: z.literal("alert-changed"), at, incidentId, alert: alertInstance }),
  z.object({ type: z.literal("incident-reopened"), at, incidentId, why: z.string() }),
  z.object({
    type: z.literal("diagnosed"),
    at,
    incidentId,
    diagnosis,
    title: z.string(),
    startedAt: z.number(),
    slice,
  }),
  z.object({ type: z.literal("acknowledged"), at, incidentId, by: z.string() }),
  z.object({ type: z.literal("noted"), at, incidentId, by: z.string(), text: z.string() }),
  z.object({
    type: z.literal("resolved"),
    at,
    incidentId,
    by: z.string(),
    how: z.enum(["alerts-quiet", "verified-action", "by-hand"]),
    why: z.string(),
  }),
  z.object({ type: z.literal("action-proposed"), at, incidentId, action }),
  z.object({ type: z.literal("action-planned"), ...onAction, planned }),
  z.object({
    type: z.literal("action-closed"),
    ...onAction,
    state: z.enum(["refused", "expired", "failed"]),
    by: z.string(),
    why: z.string(),
  }),
  z.object({ type: z.literal("action-approved"), ...onAction, by: z.string() }),
  /** The intent: written before the write, so that a restart knows to look. */
  z.object({
    type: z.literal("action-started"),
    ...onAction,
    resourceVersion: z.string(),
    deadlineAt: z.number(),
  }),
  /** The outcome of the write. */
  z.object({ type: z.literal("action-executed"), ...onAction, text: z.string() }),
  z.object({
    type: z.literal("action-judged"),
    ...onAction,
    verdict: z.enum(["passed", "failed", "inconclusive"]),
    text: z.string(),
    criteria: z.array(criterion),
  }),
  z.object({ type: z.literal("undo-started"), ...onAction, by: z.string(), why: z.string() }),
  z.object({
    type: z.literal("undo-finished"),
    ...onAction,
    succeeded: z.boolean(),
    text: z.string(),
  }),
]);
export type DeskEvent = z.infer<typeof deskEvent>;

/** For the log: checks a stored event. Throws `event-unknown`. */
export function decodeDeskEvent(json: unknown): DeskEvent {
  const read = deskEvent.safeParse(json);
  if (read.success) return read.data;
  throw new SkoposError(
    "event-unknown",
    `an incident event cannot be read: ${z.prettifyError(read.error)}`,
  );
}

/** The store's operational log, as far as the desk needs it. Resolves when the event is durable. */
export interface EventLog {
  append(event: DeskEvent): Promise<number>;
  replay(): AsyncIterable<{ readonly sequence: number; readonly event: DeskEvent }>;
}
