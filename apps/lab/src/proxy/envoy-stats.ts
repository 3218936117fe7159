/**
 * The part of a proxy's page that is Envoy's own: per-cluster counters, circuit breakers, outlier detection, server.
 * Circuit breaker and outlier stats are exported for every cluster here; stock Istio needs `proxyStatsMatcher` for them.
 */
import type { ClusterStats } from "./cluster-stats.ts";
import type { UpstreamCluster } from "./upstream-cluster.ts";

type Field = Exclude<keyof ClusterStats, "rqByClass">;

const counters: readonly [string, Field][] = [
  ["upstream_cx_total", "cxTotal"],
  ["upstream_cx_connect_fail", "cxConnectFail"],
  ["upstream_cx_connect_timeout", "cxConnectTimeout"],
  ["upstream_cx_overflow", "cxOverflow"],
  ["upstream_cx_none_healthy", "cxNoneHealthy"],
  ["upstream_cx_destroy_with_active_rq", "cxDestroyedWithActiveRq"],
  ["upstream_cx_max_requests", "cxMaxRequests"],
  ["upstream_cx_tx_bytes_total", "txBytes"],
  ["upstream_cx_rx_bytes_total", "rxBytes"],
  ["upstream_rq_total", "rqTotal"],
  ["upstream_rq_pending_total", "rqPendingTotal"],
  ["upstream_rq_pending_overflow", "rqPendingOverflow"],
  ["upstream_rq_pending_failure_eject", "rqPendingFailureEject"],
  ["upstream_rq_cancelled", "rqCancelled"],
  ["upstream_rq_timeout", "rqTimeout"],
  ["upstream_rq_per_try_timeout", "rqPerTryTimeout"],
  ["upstream_rq_retry", "rqRetry"],
  ["upstream_rq_retry_success", "rqRetrySuccess"],
  ["upstream_rq_retry_overflow", "rqRetryOverflow"],
  ["upstream_rq_retry_limit_exceeded", "rqRetryLimitExceeded"],
  ["upstream_rq_rx_reset", "rqRxReset"],
  ["upstream_rq_tx_reset", "rqTxReset"],
  ["outlier_detection_ejections_enforced_total", "ejectionsEnforced"],
  ["outlier_detection_ejections_enforced_consecutive_5xx", "ejectionsConsecutive5xx"],
  ["outlier_detection_ejections_enforced_consecutive_gateway_failure", "ejectionsGatewayFailure"],
  ["outlier_detection_ejections_overflow", "ejectionsOverflow"],
  ["ssl_handshake", "sslHandshakes"],
  ["ssl_connection_error", "sslFailures"],
];

const gauges: readonly [string, (cluster: UpstreamCluster) => number][] = [
  ["upstream_cx_active", (c) => c.resources.connections],
  ["upstream_rq_active", (c) => c.resources.requests],
  ["upstream_rq_pending_active", (c) => c.resources.pending],
  ["membership_total", (c) => c.hostCount],
  ["membership_healthy", (c) => c.hostCount - c.outlier.ejectedCount],
  ["membership_degraded", () => 0],
  ["membership_excluded", () => 0],
  ["outlier_detection_ejections_active", (c) => c.outlier.ejectedCount],
  ["circuit_breakers_default_cx_open", (c) => open(c, "connections", "maxConnections")],
  ["circuit_breakers_default_cx_pool_open", () => 0],
  ["circuit_breakers_default_rq_open", (c) => open(c, "requests", "maxRequests")],
  ["circuit_breakers_default_rq_pending_open", (c) => open(c, "pending", "maxPendingRequests")],
  ["circuit_breakers_default_rq_retry_open", (c) => open(c, "retries", "maxRetries")],
  ["circuit_breakers_default_remaining_cx", (c) => left(c, "connections", "maxConnections")],
  ["circuit_breakers_default_remaining_rq", (c) => left(c, "requests", "maxRequests")],
  ["circuit_breakers_default_remaining_pending", (c) => left(c, "pending", "maxPendingRequests")],
  ["circuit_breakers_default_remaining_retries", (c) => left(c, "retries", "maxRetries")],
];

type Used = "connections" | "pending" | "requests" | "retries";
type Limit = "maxConnections" | "maxPendingRequests" | "maxRequests" | "maxRetries";

function open(cluster: UpstreamCluster, used: Used, limit: Limit): number {
  return cluster.resources[used] >= cluster.resources.limits[limit] ? 1 : 0;
}

function left(cluster: UpstreamCluster, used: Used, limit: Limit): number {
  return Math.max(0, cluster.resources.limits[limit] - cluster.resources[used]);
}

export function clusterStatsText(clusters: Iterable<UpstreamCluster>): string {
  // As Envoy with deferred creation of stats: clusters that were never used have none.
  const all = [...clusters].filter(({ stats }) => stats.cxTotal > 0 || stats.cxNoneHealthy > 0);
  const lines: string[] = [];
  for (const [stat, field] of counters) {
    lines.push(`# TYPE envoy_cluster_${stat} counter`);
    for (const cluster of all) {
      lines.push(
        `envoy_cluster_${stat}{cluster_name="${cluster.config.name}"} ${cluster.stats[field]}`,
      );
    }
  }
  for (const [stat, read] of gauges) {
    lines.push(`# TYPE envoy_cluster_${stat} gauge`);
    for (const cluster of all) {
      lines.push(`envoy_cluster_${stat}{cluster_name="${cluster.config.name}"} ${read(cluster)}`);
    }
  }
  lines.push("# TYPE envoy_cluster_upstream_rq_xx counter");
  for (const cluster of all) {
    cluster.stats.rqByClass.forEach((count, hundred) => {
      if (count === 0) return;
      const labels = `cluster_name="${cluster.config.name}",envoy_response_code_class="${hundred}"`;
      lines.push(`envoy_cluster_upstream_rq_xx{${labels}} ${count}`);
    });
  }
  return `${lines.join("\n")}\n`;
}

export interface ServerFacts {
  readonly uptimeSeconds: number;
  readonly heapBytes: number;
  readonly connections: number;
  readonly certificateNotAfterMs: number | undefined;
  readonly live: boolean;
  readonly nowMs: number;
  readonly proxyTag: string;
}

export function serverStatsText(facts: ServerFacts): string {
  const lines = [
    "# TYPE envoy_server_live gauge",
    `envoy_server_live ${facts.live ? 1 : 0}`,
    "# TYPE envoy_server_uptime gauge",
    `envoy_server_uptime ${Math.floor(facts.uptimeSeconds)}`,
    "# TYPE envoy_server_memory_allocated gauge",
    `envoy_server_memory_allocated ${facts.heapBytes}`,
    "# TYPE envoy_server_total_connections gauge",
    `envoy_server_total_connections ${facts.connections}`,
    "# TYPE envoy_server_concurrency gauge",
    "envoy_server_concurrency 1",
    "# TYPE istio_build gauge",
    `istio_build{component="proxy",tag="${facts.proxyTag}"} 1`,
  ];
  if (facts.certificateNotAfterMs !== undefined) {
    const leftMs = facts.certificateNotAfterMs - facts.nowMs;
    lines.push(
      "# TYPE envoy_server_days_until_first_cert_expiring gauge",
      `envoy_server_days_until_first_cert_expiring ${Math.floor(leftMs / 86_400_000)}`,
      "# TYPE istio_agent_cert_expiry_seconds gauge",
      `istio_agent_cert_expiry_seconds{resource_name="default"} ${(leftMs / 1000).toFixed(3)}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
