/**
 * What the control plane tells a proxy: clusters with their endpoints, virtual hosts with their routes, and the inbound
 * ports. Plain JSON (it travels over IPC), complete each time; a proxy keeps the state of clusters whose name stays.
 */

/** Who a workload is, as telemetry names it. */
export interface WorkloadIdentity {
  readonly workload: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  /** SPIFFE id without the scheme's TLS meaning: "spiffe://cluster.local/ns/<ns>/sa/<sa>". */
  readonly principal: string;
  readonly cluster: string;
  readonly pod: string;
}

export interface EndpointConfig {
  /** Where the peer's sidecar listens. */
  readonly address: string;
  readonly port: number;
  readonly identity: WorkloadIdentity;
  /** Its sidecar takes mutual TLS. */
  readonly mutualTls: boolean;
}

export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  readonly maxRetries: number;
  readonly connectTimeoutMs: number;
}

export interface OutlierConfig {
  /** 0: off. */
  readonly consecutive5xx: number;
  /** 502, 503, 504 and lost connections; 0: off. */
  readonly consecutiveGatewayErrors: number;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
}

export type LoadBalancing = "round-robin" | "least-request" | "random";
export type ClientTlsMode = "auto" | "istio-mutual" | "disable";

export interface ServiceIdentity {
  /** "user-service.socialstream.svc.cluster.local". */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

export interface ClusterConfig {
  /** Istio's: "outbound|8080|<subset>|<host>". */
  readonly name: string;
  readonly service: ServiceIdentity;
  readonly protocol: "http" | "tcp";
  readonly endpoints: readonly EndpointConfig[];
  readonly tls: ClientTlsMode;
  readonly limits: ConnectionLimits;
  readonly outlier?: OutlierConfig;
  readonly loadBalancing: LoadBalancing;
}

export type StringMatch =
  | { readonly kind: "exact" | "prefix" | "regex"; readonly value: string }
  | { readonly kind: "present" };

export interface RouteMatch {
  readonly path?: StringMatch;
  readonly method?: StringMatch;
  readonly headers: readonly { readonly name: string; readonly match: StringMatch }[];
  readonly withoutHeaders: readonly { readonly name: string; readonly match: StringMatch }[];
}

export interface RetryPolicy {
  /** Retries after the first try. */
  readonly attempts: number;
  /** 0: the route's timeout alone. */
  readonly perTryTimeoutMs: number;
  readonly retryOn: readonly string[];
}

export interface FaultPolicy {
  readonly delay?: { readonly percent: number; readonly ms: number };
  readonly abort?: { readonly percent: number; readonly status: number };
}

export interface HeaderChanges {
  readonly set: Readonly<Record<string, string>>;
  readonly add: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

export interface RouteConfig {
  readonly name: string;
  /** Any of them. */
  readonly matches: readonly RouteMatch[];
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** 0: none. */
  readonly timeoutMs: number;
  readonly retries: RetryPolicy;
  readonly fault?: FaultPolicy;
  readonly rewritePath?: string;
  readonly rewriteAuthority?: string;
  readonly redirect?: {
    readonly path?: string;
    readonly authority?: string;
    readonly code: number;
  };
  readonly directResponse?: { readonly status: number; readonly body: string };
  readonly requestHeaders: HeaderChanges;
  readonly responseHeaders: HeaderChanges;
}

export interface VirtualHostConfig {
  readonly name: string;
  /** Lower case, "host:port"; "*" for any. A "*.suffix:port" matches hosts below it. */
  readonly domains: readonly string[];
  readonly routes: readonly RouteConfig[];
}

export type ServerTlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

export interface InboundPort {
  /** The container's port. */
  readonly port: number;
  readonly protocol: "http" | "tcp";
  readonly mutualTls: ServerTlsMode;
  /** The service it belongs to; absent when none selects the pod. */
  readonly service?: ServiceIdentity & { readonly port: number };
}

export interface ProxyConfig {
  readonly version: string;
  readonly clusters: readonly ClusterConfig[];
  readonly virtualHosts: readonly VirtualHostConfig[];
  /** Lower case "host:port" → cluster choices, for TCP services. */
  readonly tcpRoutes: Readonly<
    Record<string, readonly { readonly name: string; readonly weight: number }[]>
  >;
  readonly inbound: readonly InboundPort[];
  readonly outboundPolicy: "ALLOW_ANY" | "REGISTRY_ONLY";
  /** Pod address → who runs there, for peers that present no metadata of their own (TCP). */
  readonly peers: Readonly<Record<string, WorkloadIdentity>>;
  /** Share of new traces to record, 0 to 1. */
  readonly traceSampling: number;
}

export const defaultLimits: ConnectionLimits = {
  maxConnections: 4_294_967_295,
  maxPendingRequests: 4_294_967_295,
  maxRequests: 4_294_967_295,
  maxRequestsPerConnection: 0,
  maxRetries: 4_294_967_295,
  connectTimeoutMs: 10_000,
};

export const emptyConfig: ProxyConfig = {
  version: "",
  clusters: [],
  virtualHosts: [],
  tcpRoutes: {},
  inbound: [],
  outboundPolicy: "ALLOW_ANY",
  peers: {},
  traceSampling: 0,
};
