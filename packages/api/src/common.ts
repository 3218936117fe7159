/** Pieces that several schemas share. Times on the wire are unix milliseconds unless a name says otherwise. */
import { z } from "zod";

const healthState = z.enum(["healthy", "degraded", "failing", "idle", "unknown"]);
export type HealthState = z.infer<typeof healthState>;

/** Reasons are whole phrases a person can read: "4.1 % of requests fail (503 UO)". */
export const health = z.object({ state: healthState, reasons: z.array(z.string()) });
export type Health = z.infer<typeof health>;

/** Whatever has a home page. `id` is stable: "namespace/name" for services and workloads, "a/b->c/d" for edges. */
export const entityRef = z.object({
  kind: z.enum([
    "service",
    "workload",
    "pod",
    "namespace",
    "edge",
    "config",
    "incident",
    "trace",
    "rule",
    "change",
    "node",
  ]),
  id: z.string(),
  name: z.string(),
  namespace: z.string().optional(),
  /** For "config" and "workload": the Kubernetes kind, like DestinationRule or Deployment. */
  objectKind: z.string().optional(),
});
export type EntityRef = z.infer<typeof entityRef>;

/** A small chart: [unix ms, value]; null is a gap, never a zero. */
export const points = z.array(z.tuple([z.number(), z.number().nullable()]));

/** What is drawn of a service's requests. */
export const requestSeries = z.object({
  requestsPerSecond: points,
  errorRatio: points,
  p50Ms: points,
  p95Ms: points,
  p99Ms: points,
});
export type Points = z.infer<typeof points>;

export const role = z.enum(["viewer", "responder", "approver", "admin"]);
export type Role = z.infer<typeof role>;

/** Every refusal: a stable code, a sentence that says what to do, and the place where one is known. */
export const problem = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    line: z.number().int().optional(),
    column: z.number().int().optional(),
  }),
});
export type Problem = z.infer<typeof problem>;
