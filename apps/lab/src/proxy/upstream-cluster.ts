/**
 * One upstream cluster of a proxy: its endpoints, which of them may be chosen, the connection pools, the limits and the
 * counters. Survives configuration updates under the same name; only what changed is replaced.
 */
import { type ClusterStats, emptyClusterStats } from "./cluster-stats.ts";
import { type ClusterConfig, defaultLimits, type EndpointConfig } from "./config.ts";
import type { Dial, Dialed } from "./dialer.ts";
import { type ClusterResources, HostPool } from "./host-pool.ts";
import { OutlierDetector } from "./outlier.ts";

export interface UpstreamHost {
  readonly key: string;
  readonly endpoint: EndpointConfig;
  readonly mutualTls: boolean;
  readonly pool: HostPool;
}

export interface ClusterEnvironment {
  readonly dial: Dial;
  readonly nowMs: () => number;
  readonly random: () => number;
}

export class UpstreamCluster {
  readonly stats: ClusterStats = emptyClusterStats();
  readonly resources: ClusterResources;
  readonly outlier: OutlierDetector;
  readonly #environment: ClusterEnvironment;
  #config: ClusterConfig;
  #hosts: UpstreamHost[] = [];
  #turn = 0;

  constructor(config: ClusterConfig, environment: ClusterEnvironment) {
    this.#environment = environment;
    this.#config = config;
    this.#turn = Math.floor(environment.random() * 1000);
    this.resources = { limits: defaultLimits, connections: 0, pending: 0, requests: 0, retries: 0 };
    this.outlier = new OutlierDetector(this.stats, environment.nowMs);
    this.update(config);
  }

  get config(): ClusterConfig {
    return this.#config;
  }

  get hostCount(): number {
    return this.#hosts.length;
  }

  update(config: ClusterConfig): void {
    this.#config = config;
    this.resources.limits = config.limits;
    const before = new Map(this.#hosts.map((host) => [hostIdentity(host), host]));
    this.#hosts = config.endpoints.map((endpoint) => {
      const mutualTls = usesMutualTls(config, endpoint);
      const key = `${endpoint.address}:${endpoint.port}`;
      const identity = hostIdentity({ key, mutualTls, endpoint });
      const kept = before.get(identity);
      if (kept !== undefined) {
        before.delete(identity);
        return { ...kept, endpoint };
      }
      const dial = () => this.#dialHost(endpoint, mutualTls);
      return { key, endpoint, mutualTls, pool: new HostPool(this.resources, this.stats, dial) };
    });
    for (const gone of before.values()) gone.pool.close();
    this.outlier.configure(config.outlier, new Set(this.#hosts.map((host) => host.key)));
  }

  /** A host for the next try, not one of `tried` if another is left; undefined when none is healthy. */
  pick(tried: readonly UpstreamHost[] = []): UpstreamHost | undefined {
    const healthy = this.#hosts.filter((host) => !this.outlier.ejected(host.key));
    if (healthy.length === 0) {
      this.stats.cxNoneHealthy++;
      return undefined;
    }
    const fresh = healthy.filter((host) => !tried.some((other) => other.key === host.key));
    return this.#balance(fresh.length > 0 ? fresh : healthy);
  }

  destroy(): void {
    for (const host of this.#hosts) host.pool.destroy();
    this.#hosts = [];
  }

  #balance(hosts: readonly UpstreamHost[]): UpstreamHost | undefined {
    const { random } = this.#environment;
    const at = () => hosts[Math.floor(random() * hosts.length)];
    switch (this.#config.loadBalancing) {
      case "round-robin":
        return hosts[this.#turn++ % hosts.length];
      case "random":
        return at();
      case "least-request": {
        const [one, two] = [at(), at()];
        if (one === undefined || two === undefined) return one ?? two;
        return two.pool.load < one.pool.load ? two : one;
      }
    }
  }

  #dialHost(endpoint: EndpointConfig, mutualTls: boolean): Dialed {
    return this.#environment.dial({
      address: endpoint.address,
      port: endpoint.port,
      mutualTls,
      principal: endpoint.identity.principal,
      timeoutMs: this.#config.limits.connectTimeoutMs,
    });
  }
}

/** What a connection depends on: a pool is kept only while all of it is the same. */
function hostIdentity(host: Omit<UpstreamHost, "pool">): string {
  const { pod, principal } = host.endpoint.identity;
  return `${host.key} ${host.mutualTls} ${pod} ${principal}`;
}

function usesMutualTls(config: ClusterConfig, endpoint: EndpointConfig): boolean {
  if (config.tls === "istio-mutual") return true;
  return config.tls === "auto" && endpoint.mutualTls;
}
