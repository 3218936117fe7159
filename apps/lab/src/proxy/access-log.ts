/** Istio's JSON access log (`accessLogEncoding: JSON` with the default format): absent values are null. */
import type { RequestReport } from "./request-report.ts";

export function accessLogLine(report: RequestReport): string {
  return JSON.stringify({
    start_time: new Date(report.startMs).toISOString(),
    route_name: report.routeName,
    method: report.method,
    path: report.path,
    protocol: "HTTP/1.1",
    response_code: report.status,
    response_flags: report.flags,
    response_code_details: report.details,
    connection_termination_details: null,
    bytes_received: report.requestBodyBytes,
    bytes_sent: report.responseBodyBytes,
    duration: Math.round(report.durationMs),
    upstream_service_time: whole(report.upstreamServiceTimeMs),
    x_forwarded_for: report.forwardedFor ?? null,
    user_agent: report.userAgent ?? null,
    request_id: report.requestId,
    authority: report.authority,
    upstream_host: report.upstreamHost ?? null,
    upstream_cluster: report.upstreamCluster,
    upstream_local_address: report.upstreamLocalAddress ?? null,
    downstream_local_address: report.downstreamLocalAddress,
    downstream_remote_address: report.downstreamRemoteAddress,
    requested_server_name: report.requestedServerName ?? null,
    upstream_transport_failure_reason: report.transportFailure ?? null,
  });
}

function whole(value: number | undefined): string | null {
  return value === undefined ? null : String(Math.round(value));
}
