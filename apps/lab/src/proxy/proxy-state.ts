/** What both directions of a proxy share: configuration as last pushed, live clusters, identity and telemetry. */
import type { LogOutput } from "../telemetry/log-output.ts";
import type { SpanExporter } from "../telemetry/span-exporter.ts";
import {
  type ClusterConfig,
  emptyConfig,
  type ProxyConfig,
  type WorkloadIdentity,
} from "./config.ts";
import type { Dial } from "./dialer.ts";
import type { ProxyIdentity } from "./identity.ts";
import { IstioMetrics } from "./istio-metrics.ts";
import { RouteTable } from "./route-table.ts";
import { UpstreamCluster } from "./upstream-cluster.ts";

export interface ProxyStateOptions {
  readonly self: WorkloadIdentity;
  /** A gateway answers unknown hosts with 404 instead of passing them through. */
  readonly role: "sidecar" | "gateway";
  readonly podAddress: string;
  readonly identity: ProxyIdentity;
  readonly dial: Dial;
  readonly accessLog: Pick<LogOutput, "line">;
  readonly spans: Pick<SpanExporter, "record"> | undefined;
  readonly random: () => number;
  readonly nowMs: () => number;
}

export class ProxyState {
  readonly options: ProxyStateOptions;
  readonly metrics: IstioMetrics;
  readonly clusters = new Map<string, UpstreamCluster>();
  draining = false;
  activeRequests = 0;
  #config: ProxyConfig = emptyConfig;
  #routes = new RouteTable([]);

  constructor(options: ProxyStateOptions) {
    this.options = options;
    this.metrics = new IstioMetrics(options.self);
  }

  get config(): ProxyConfig {
    return this.#config;
  }

  get routes(): RouteTable {
    return this.#routes;
  }

  /** Takes a complete configuration; clusters that remain keep their connections and counters. */
  apply(config: ProxyConfig): void {
    const routes = new RouteTable(config.virtualHosts);
    const names = new Set(config.clusters.map((cluster) => cluster.name));
    for (const [name, cluster] of this.clusters) {
      if (names.has(name) || name.startsWith("inbound|") || name === "PassthroughCluster") continue;
      cluster.destroy();
      this.clusters.delete(name);
    }
    for (const cluster of config.clusters) this.ensureCluster(cluster);
    this.#config = config;
    this.#routes = routes;
  }

  /** The live cluster of that name, updated to `config`. */
  ensureCluster(config: ClusterConfig): UpstreamCluster {
    const existing = this.clusters.get(config.name);
    if (existing !== undefined) {
      existing.update(config);
      return existing;
    }
    const { dial, nowMs, random } = this.options;
    const cluster = new UpstreamCluster(config, { dial, nowMs, random });
    this.clusters.set(config.name, cluster);
    return cluster;
  }

  destroy(): void {
    for (const cluster of this.clusters.values()) cluster.destroy();
    this.clusters.clear();
  }
}
