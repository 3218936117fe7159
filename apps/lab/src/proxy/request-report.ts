/** What is known about a request when it ends at a proxy: the one source of metrics, span and access log. */
import type { ServiceIdentity, WorkloadIdentity } from "./config.ts";

export interface RequestReport {
  readonly reporter: "source" | "destination";
  readonly startMs: number;
  readonly durationMs: number;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly requestId: string;
  readonly userAgent: string | undefined;
  readonly forwardedFor: string | undefined;
  /** 0: none was sent (the caller left). */
  readonly status: number;
  /** Envoy's short names, comma-joined; "-" for none. */
  readonly flags: string;
  readonly details: string;
  readonly transportFailure: string | undefined;
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly routeName: string;
  readonly upstreamCluster: string;
  readonly upstreamHost: string | undefined;
  readonly upstreamLocalAddress: string | undefined;
  readonly upstreamServiceTimeMs: number | undefined;
  readonly downstreamLocalAddress: string;
  readonly downstreamRemoteAddress: string;
  readonly requestedServerName: string | undefined;
  readonly service: ServiceIdentity;
  /** The other side, as far as known. */
  readonly peer: Partial<WorkloadIdentity>;
  /** The connection that carried it was mutual TLS. */
  readonly mutualTls: boolean;
}
