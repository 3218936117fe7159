import { z } from "zod";
import { entityRef, health, requestSeries } from "./common.ts";

/** Rates over the graph's window. `null` means "not measured", which is not zero. */
const traffic = z.object({
  requestsPerSecond: z.number().nullable(),
  /** Share of requests that failed (5xx, or no response), 0 to 1; null below the traffic floor. */
  errorRatio: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  /** TCP. */
  sentBytesPerSecond: z.number().nullable(),
  receivedBytesPerSecond: z.number().nullable(),
});
export type Traffic = z.infer<typeof traffic>;

export const graphNode = z.object({
  /** "namespace/name" of the canonical service. */
  id: z.string(),
  name: z.string(),
  namespace: z.string(),
  kind: z.enum(["gateway", "service", "tcp", "external", "unknown"]),
  /** Incoming traffic; of a gateway, what it received from outside. */
  traffic,
  health,
  replicas: z.object({ ready: z.number(), desired: z.number() }).nullable(),
  versions: z.array(z.string()),
  /** The deployments behind it. */
  workloads: z.array(entityRef),
  alerts: z.number(),
  incidentId: z.string().nullable(),
});
export type GraphNode = z.infer<typeof graphNode>;

export const graphEdge = z.object({
  /** "source->target". */
  id: z.string(),
  source: z.string(),
  target: z.string(),
  protocol: z.enum(["http", "grpc", "tcp"]),
  traffic,
  /** As the destination's proxy saw it, where that differs: the gap is network, proxy or queue. */
  destinationP95Ms: z.number().nullable(),
  /** Requests per second by response flag, as the source's proxy saw them; "-" left out. */
  flags: z.record(z.string(), z.number()),
  /** Requests per second by response code. */
  codes: z.record(z.string(), z.number()),
  /** Share of traffic over mutual TLS as the destination reports it; null when unknown. */
  mtlsRatio: z.number().nullable(),
  health,
});
export type GraphEdge = z.infer<typeof graphEdge>;

export const graph = z.object({
  at: z.number(),
  windowMs: z.number(),
  nodes: z.array(graphNode),
  edges: z.array(graphEdge),
  /** What keeps this picture from being whole, in words. */
  warnings: z.array(z.string()),
});
export type Graph = z.infer<typeof graph>;

export const change = z.object({
  id: z.string(),
  at: z.number(),
  kind: z.enum([
    "rollout",
    "scale",
    "config-created",
    "config-updated",
    "config-deleted",
    "restart",
  ]),
  object: entityRef,
  /** The service it touches, when one is known. */
  serviceId: z.string().nullable(),
  /** "user-service: image v1 → v2, DB_POOL_SIZE 16 → 2". */
  summary: z.string(),
  /** Unified diff of the objects' YAML, without status and bookkeeping. */
  diff: z.string(),
  /** Field manager or user, when the API tells. */
  by: z.string().nullable(),
  resourceVersion: z.string(),
});
export type Change = z.infer<typeof change>;

export const serviceDetail = z.object({
  node: graphNode,
  incoming: z.array(graphEdge),
  outgoing: z.array(graphEdge),
  series: requestSeries,
  workloads: z.array(
    z.object({
      ref: entityRef,
      replicas: z.object({ ready: z.number(), desired: z.number() }),
      image: z.string(),
      version: z.string(),
      pods: z.array(
        z.object({
          name: z.string(),
          phase: z.string(),
          ready: z.boolean(),
          restarts: z.number(),
          startedAt: z.number().nullable(),
          cpuCores: z.number().nullable(),
          memoryBytes: z.number().nullable(),
        }),
      ),
    }),
  ),
  /** Kubernetes and Istio objects that shape it, as YAML. */
  configuration: z.array(z.object({ ref: entityRef, yaml: z.string() })),
  changes: z.array(change),
});
export type ServiceDetail = z.infer<typeof serviceDetail>;
