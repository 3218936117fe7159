/**
 * Passive health checking as Envoy's outlier detection by consecutive errors: a host that fails `consecutive5xx` times
 * in a row is ejected at once, unless `maxEjectionPercent` of the cluster already is; it returns at the first sweep
 * (every `intervalMs`) after base time × number of its ejections. Success-rate ejection is not built.
 */
import type { ClusterStats } from "./cluster-stats.ts";
import type { OutlierConfig } from "./config.ts";

interface HostHealth {
  consecutive5xx: number;
  consecutiveGateway: number;
  ejections: number;
  ejectedAtMs: number | undefined;
}

export class OutlierDetector {
  readonly #stats: ClusterStats;
  readonly #nowMs: () => number;
  /** By "address:port"; `retain` drops hosts that left the cluster. */
  readonly #hosts = new Map<string, HostHealth>();
  #config: OutlierConfig | undefined;
  #sweptMs: number;

  constructor(stats: ClusterStats, nowMs: () => number) {
    this.#stats = stats;
    this.#nowMs = nowMs;
    this.#sweptMs = nowMs();
  }

  configure(config: OutlierConfig | undefined, hosts: ReadonlySet<string>): void {
    this.#config = config;
    for (const host of this.#hosts.keys()) if (!hosts.has(host)) this.#hosts.delete(host);
    for (const host of hosts) if (!this.#hosts.has(host)) this.#hosts.set(host, freshHealth());
    if (config === undefined) {
      for (const health of this.#hosts.values()) Object.assign(health, freshHealth());
    }
  }

  ejected(host: string): boolean {
    this.#sweep();
    return this.#hosts.get(host)?.ejectedAtMs !== undefined;
  }

  get ejectedCount(): number {
    this.#sweep();
    let count = 0;
    for (const health of this.#hosts.values()) if (health.ejectedAtMs !== undefined) count++;
    return count;
  }

  /** `status`: of the response; 502–504 and lost connections (passed as 503) are gateway errors. */
  report(host: string, status: number): void {
    const config = this.#config;
    const health = this.#hosts.get(host);
    if (config === undefined || health === undefined) return;
    health.consecutive5xx = status >= 500 ? health.consecutive5xx + 1 : 0;
    const gateway = status >= 502 && status <= 504;
    health.consecutiveGateway = gateway ? health.consecutiveGateway + 1 : 0;
    if (health.ejectedAtMs !== undefined) return;
    const { consecutive5xx, consecutiveGatewayErrors } = config;
    if (consecutive5xx > 0 && health.consecutive5xx >= consecutive5xx) {
      if (this.#eject(config, health)) this.#stats.ejectionsConsecutive5xx++;
    } else if (
      consecutiveGatewayErrors > 0 &&
      health.consecutiveGateway >= consecutiveGatewayErrors
    ) {
      if (this.#eject(config, health)) this.#stats.ejectionsGatewayFailure++;
    }
  }

  #eject(config: OutlierConfig, health: HostHealth): boolean {
    health.consecutive5xx = 0;
    health.consecutiveGateway = 0;
    const share = (100 * this.ejectedCount) / Math.max(1, this.#hosts.size);
    if (share >= config.maxEjectionPercent) {
      this.#stats.ejectionsOverflow++;
      return false;
    }
    health.ejections++;
    health.ejectedAtMs = this.#nowMs();
    this.#stats.ejectionsEnforced++;
    return true;
  }

  #sweep(): void {
    const config = this.#config;
    const nowMs = this.#nowMs();
    if (config === undefined || nowMs - this.#sweptMs < config.intervalMs) return;
    this.#sweptMs = nowMs;
    for (const health of this.#hosts.values()) {
      if (health.ejectedAtMs === undefined) continue;
      if (nowMs - health.ejectedAtMs >= config.baseEjectionMs * health.ejections) {
        health.ejectedAtMs = undefined;
      }
    }
  }
}

function freshHealth(): HostHealth {
  return { consecutive5xx: 0, consecutiveGateway: 0, ejections: 0, ejectedAtMs: undefined };
}
