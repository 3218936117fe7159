/** The fields of an Envoy access log, their names in Istio's JSON format, and what they are called as metadata. */

export interface AccessLogEntry {
  readonly format: "istio-text" | "envoy-text" | "json";
  readonly startTime?: string;
  readonly method?: string;
  readonly path?: string;
  readonly protocol?: string;
  /** 0 when no answer was sent. */
  readonly status?: number;
  /** As "UF,URX". */
  readonly responseFlags?: string;
  readonly responseCodeDetails?: string;
  readonly connectionTerminationDetails?: string;
  readonly upstreamTransportFailureReason?: string;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  readonly durationMs?: number;
  readonly upstreamServiceTimeMs?: number;
  readonly forwardedFor?: string;
  readonly userAgent?: string;
  readonly requestId?: string;
  readonly authority?: string;
  readonly upstreamHost?: string;
  readonly upstreamCluster?: string;
  readonly upstreamLocalAddress?: string;
  readonly downstreamLocalAddress?: string;
  readonly downstreamRemoteAddress?: string;
  readonly requestedServerName?: string;
  readonly routeName?: string;
  /** 32 lower-case hex digits, where the format was extended by a trace header. */
  readonly traceId?: string;
}

export type FieldName = Exclude<keyof AccessLogEntry, "format">;

export interface Field {
  readonly name: FieldName;
  /** Names in JSON: Istio's first, then what custom formats commonly say. */
  readonly json: readonly string[];
  /** What it is called where it stands beside the line. */
  readonly metadata?: string;
  /** Written with the line, since lines are searched by it; the others are read off the line when they are asked for. */
  readonly kept?: true;
  readonly numeric?: true;
}

export const fields: readonly Field[] = [
  { name: "startTime", json: ["start_time"] },
  { name: "method", json: ["method"], metadata: "method", kept: true },
  { name: "path", json: ["path", "x_envoy_original_path"], metadata: "path", kept: true },
  { name: "protocol", json: ["protocol"] },
  { name: "status", json: ["response_code"], metadata: "status", kept: true, numeric: true },
  { name: "responseFlags", json: ["response_flags"], metadata: "response_flags", kept: true },
  {
    name: "responseCodeDetails",
    json: ["response_code_details"],
    metadata: "response_code_details",
    kept: true,
  },
  { name: "connectionTerminationDetails", json: ["connection_termination_details"] },
  { name: "upstreamTransportFailureReason", json: ["upstream_transport_failure_reason"] },
  { name: "bytesReceived", json: ["bytes_received"], metadata: "bytes_received", numeric: true },
  { name: "bytesSent", json: ["bytes_sent"], metadata: "bytes_sent", numeric: true },
  { name: "durationMs", json: ["duration"], metadata: "duration_ms", kept: true, numeric: true },
  {
    name: "upstreamServiceTimeMs",
    json: ["upstream_service_time"],
    metadata: "upstream_service_time_ms",
    kept: true,
    numeric: true,
  },
  { name: "forwardedFor", json: ["x_forwarded_for"] },
  { name: "userAgent", json: ["user_agent"] },
  { name: "requestId", json: ["request_id", "x_request_id"], metadata: "request_id" },
  { name: "authority", json: ["authority"], metadata: "authority", kept: true },
  { name: "upstreamHost", json: ["upstream_host"], metadata: "upstream_host" },
  { name: "upstreamCluster", json: ["upstream_cluster"], metadata: "upstream_cluster", kept: true },
  { name: "upstreamLocalAddress", json: ["upstream_local_address"] },
  { name: "downstreamLocalAddress", json: ["downstream_local_address"] },
  {
    name: "downstreamRemoteAddress",
    json: ["downstream_remote_address"],
    metadata: "downstream_remote_address",
  },
  { name: "requestedServerName", json: ["requested_server_name"] },
  { name: "routeName", json: ["route_name"], metadata: "route_name" },
];

/** Names under which trace headers are logged in JSON. */
export const traceNames = [
  "trace_id",
  "traceparent",
  "x_b3_traceid",
  "x-b3-traceid",
  "b3",
] as const;

/** A trace id out of a `traceparent`, `b3` or `x-b3-traceid` header, or out of itself. */
export function traceIdOf(text: string): string | undefined {
  const found =
    /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(text) ??
    /^([0-9a-f]{32}|[0-9a-f]{16})(?:-[0-9a-f]{16}(?:-[01d])?)?$/.exec(text);
  const id = found?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id.padStart(32, "0");
}
