/**
 * Every PromQL text that the mesh asks, in one place. Durations are Istio's milliseconds. Requests are counted once:
 * by the source's proxy (it sees what the destination never received), or by the destination's where the caller has none.
 */

/** Kiali's edge labels, without cluster and principals. */
const edgeLabels = [
  "source_workload_namespace",
  "source_workload",
  "source_canonical_service",
  "destination_service_namespace",
  "destination_service_name",
  "destination_workload_namespace",
  "destination_workload",
  "destination_canonical_service",
] as const;
const edges = edgeLabels.join(", ");
/**
 * One group per edge: requests that never reached a workload fall in with those that did, so that a quantile is taken
 * over all of them. Which node stands behind a service, the request rows tell.
 */
const pair =
  "source_workload_namespace, source_canonical_service, destination_service_namespace, destination_service_name";

export type Reporter = "source" | "destination";

/** A range selector's text for a window. */
export function windowText(windowMs: number): string {
  return `${Math.max(1, Math.round(windowMs / 1000))}s`;
}

/** A PromQL string literal. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** An exact match on any of several values, safe inside a regex matcher. */
export function anyOf(values: readonly string[]): string {
  return quoted(values.map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"));
}

export const queries = {
  requests: (reporter: Reporter, window: string) =>
    `sum by (${edges}, destination_canonical_revision, request_protocol, response_code, grpc_response_status, response_flags${
      reporter === "destination" ? ", connection_security_policy" : ""
    }) (rate(istio_requests_total{reporter="${reporter}"}[${window}])) > 0`,

  edgeQuantile: (quantile: number, reporter: Reporter, window: string) =>
    `histogram_quantile(${quantile}, sum by (${pair}, le) (rate(istio_request_duration_milliseconds_bucket{reporter="${reporter}"}[${window}])))`,

  nodeQuantile: (quantile: number, window: string, offset = "") =>
    `histogram_quantile(${quantile}, sum by (destination_workload_namespace, destination_canonical_service, le) (rate(istio_request_duration_milliseconds_bucket{reporter="destination"}[${window}]${
      offset === "" ? "" : ` offset ${offset}`
    })))`,

  /** What a gateway's callers see is what its own requests take: gateways report as a source only. */
  sourceQuantile: (quantile: number, window: string) =>
    `histogram_quantile(${quantile}, sum by (source_workload_namespace, source_canonical_service, le) (rate(istio_request_duration_milliseconds_bucket{reporter="source"}[${window}])))`,

  tcp: (direction: "sent" | "received", reporter: Reporter, window: string) =>
    `sum by (${edges}${reporter === "destination" ? ", connection_security_policy" : ""}) (rate(istio_tcp_${direction}_bytes_total{reporter="${reporter}"}[${window}])) > 0`,

  cpuOfPods: (namespace: string, pods: readonly string[], window: string) =>
    `sum by (pod) (rate(container_cpu_usage_seconds_total{namespace=${quoted(namespace)}, pod=~${anyOf(pods)}, container!=""}[${window}]))`,

  memoryOfPods: (namespace: string, pods: readonly string[]) =>
    `sum by (pod) (container_memory_working_set_bytes{namespace=${quoted(namespace)}, pod=~${anyOf(pods)}, container!=""})`,
} as const;

/** Selects the requests to a service as its callers see them. `serviceId` is "namespace/name". */
function incoming(serviceId: string, reporter: Reporter, gateway: boolean): string {
  const [namespace = "", name = ""] = serviceId.split("/");
  const side = gateway ? "source" : "destination";
  const space =
    side === "source" || reporter === "destination" ? "workload_namespace" : "service_namespace";
  const label = reporter === "source" && !gateway ? "service_name" : "canonical_service";
  return `reporter="${gateway ? "source" : reporter}", ${side}_${space}=${quoted(namespace)}, ${side}_${label}=${quoted(name)}`;
}

/** No response, or a server error; a client that went away (DC) is neither. */
export const failed = `response_code=~"5..|0", response_flags!~"DC"`;

/** Series of one service. `requests` and `failures` by what callers see, durations by the service's own proxy. */
export const serviceQueries = {
  requests: (serviceId: string, gateway: boolean, window: string) =>
    `sum(rate(istio_requests_total{${incoming(serviceId, "source", gateway)}}[${window}]))`,
  errorRatio: (serviceId: string, gateway: boolean, window: string) => {
    const who = incoming(serviceId, "source", gateway);
    const all = `sum(rate(istio_requests_total{${who}}[${window}]))`;
    // Without a failing series the sum is absent, not zero; `or` keeps "no failures" apart from "no requests".
    return `(sum(rate(istio_requests_total{${who}, ${failed}}[${window}])) or ${all} * 0) / (${all} > 0)`;
  },
  quantile: (quantile: number, serviceId: string, gateway: boolean, window: string) =>
    `histogram_quantile(${quantile}, sum by (le) (rate(istio_request_duration_milliseconds_bucket{${incoming(serviceId, "destination", gateway)}}[${window}])))`,
  /** As the callers see it: with the network, the proxies and their queues. */
  callerQuantile: (quantile: number, serviceId: string, gateway: boolean, window: string) =>
    `histogram_quantile(${quantile}, sum by (le) (rate(istio_request_duration_milliseconds_bucket{${incoming(serviceId, "source", gateway)}}[${window}])))`,
} as const;
