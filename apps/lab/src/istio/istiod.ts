/**
 * The lab's istiod: watches the cluster, computes each proxy's configuration and pushes it, and issues certificates
 * that it renews at half their life. Changes within `debounceMs` go out in one push; a proxy whose configuration comes
 * out the same is left alone.
 */
import type { Pod } from "../kube/object.ts";
import type { KubeStore } from "../kube/store.ts";
import type { ProxyConfig } from "../proxy/config.ts";
import type { IssuedIdentity } from "../proxy/identity.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { IstiodMetrics } from "./istiod-metrics.ts";
import { duplicateHosts, type MeshOptions, proxyConfig, takeSnapshot } from "./proxy-config.ts";
import { workloadOf } from "./registry.ts";

const debounceMs = 40;
const configKinds = ["VirtualService", "DestinationRule", "PeerAuthentication", "Gateway"] as const;

/** A connected proxy, as the node agent hands it over. */
export interface ProxyConnection {
  readonly pod: Pod;
  configure(config: ProxyConfig): void;
  identify(issued: IssuedIdentity): void;
}

interface ConnectedProxy {
  readonly connection: ProxyConnection;
  /** What was sent last, without its version. */
  sent: string;
  sentMs: number;
  renewal: ReturnType<typeof setTimeout> | undefined;
}

export interface IstiodOptions {
  readonly store: KubeStore;
  readonly authority: CertificateAuthority;
  readonly certificateTtlMs: number;
  readonly mesh: MeshOptions;
  readonly log: (message: string) => void;
}

export class Istiod {
  readonly metrics = new IstiodMetrics();
  readonly #options: IstiodOptions;
  /** By pod uid; bounded by the pods of the node. */
  readonly #proxies = new Map<string, ConnectedProxy>();
  readonly #stops: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #changedMs = 0;
  #pushes = 0;

  constructor(options: IstiodOptions) {
    this.#options = options;
    this.metrics.rootNotAfterMs = options.authority.rootNotAfterMs;
    const { store } = options;
    for (const kind of configKinds) {
      this.#stops.push(
        store.watch(kind, ({ type }) => {
          this.metrics.count("pilot_k8s_cfg_events", `event="${eventName(type)}",type="${kind}"`);
          this.metrics.validationsPassed++;
          this.#changed("config");
        }),
      );
    }
    this.#stops.push(
      store.watch("Service", ({ type }) => this.#registryEvent("Services", type, "service")),
      store.watch("Pod", ({ type }) => this.#registryEvent("Pods", type, "endpoint")),
    );
  }

  /** Tells a new proxy its configuration at once. */
  connect(connection: ProxyConnection): void {
    const uid = connection.pod.metadata.uid ?? "";
    this.#proxies.set(uid, { connection, sent: "", sentMs: 0, renewal: undefined });
    this.metrics.connected = this.#proxies.size;
    this.metrics.count("pilot_xds_pushes", 'type="lds"');
    this.#changed("proxy");
  }

  disconnect(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    clearTimeout(this.#proxies.get(uid)?.renewal);
    this.#proxies.delete(uid);
    this.metrics.connected = this.#proxies.size;
  }

  /** Signs the pod's key and keeps its certificate fresh until it disconnects. */
  async certify(pod: Pod, publicKey: string): Promise<void> {
    const proxy = this.#proxies.get(pod.metadata.uid ?? "");
    if (proxy === undefined) return;
    const { authority, certificateTtlMs } = this.#options;
    this.metrics.csrs++;
    const { principal } = workloadOf(pod).identity;
    const issued = await authority.issue(principal, publicKey, certificateTtlMs);
    this.metrics.issued++;
    proxy.connection.identify(issued);
    clearTimeout(proxy.renewal);
    proxy.renewal = setTimeout(() => {
      this.certify(pod, publicKey).catch((error: unknown) => {
        this.#options.log(`certificate of ${pod.metadata.name} not renewed: ${String(error)}`);
      });
    }, certificateTtlMs / 2);
  }

  applied(pod: Pod): void {
    const proxy = this.#proxies.get(pod.metadata.uid ?? "");
    if (proxy === undefined || proxy.sentMs === 0) return;
    this.metrics.convergence.observe((performance.now() - proxy.sentMs) / 1000);
    proxy.sentMs = 0;
  }

  rejected(pod: Pod, reason: string): void {
    this.metrics.rejects++;
    this.#options.log(`${pod.metadata.name} rejected its configuration: ${reason}`);
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const stop of this.#stops) stop();
    for (const { renewal } of this.#proxies.values()) clearTimeout(renewal);
    this.#proxies.clear();
  }

  #registryEvent(type: string, change: string, trigger: string): void {
    this.metrics.count("pilot_k8s_reg_events", `event="${eventName(change)}",type="${type}"`);
    this.#changed(trigger);
  }

  #changed(trigger: string): void {
    this.metrics.count("pilot_push_triggers", `type="${trigger}"`);
    if (this.#timer !== undefined) return;
    this.#changedMs = performance.now();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#push();
      } catch (error) {
        this.metrics.internalErrors++;
        this.#options.log(`push failed: ${String(error)}`);
      }
    }, debounceMs);
  }

  #push(): void {
    const { store, mesh } = this.#options;
    const startMs = performance.now();
    this.metrics.debounceTime.observe((startMs - this.#changedMs) / 1000);
    const snapshot = takeSnapshot(store, mesh);
    this.metrics.services = snapshot.services.size;
    this.metrics.virtualServices = snapshot.virtualServices.length;
    this.metrics.duplicateHosts = duplicateHosts(snapshot.virtualServices);
    this.metrics.clustersWithoutInstances = snapshot.clusters.filter(
      ({ endpoints }) => endpoints.length === 0,
    ).length;
    const version = `${new Date().toISOString()}/${++this.#pushes}`;
    for (const proxy of this.#proxies.values()) {
      const { metadata } = proxy.connection.pod;
      const pod = store.get("Pod", metadata.namespace, metadata.name);
      if (pod === undefined || pod.metadata.uid !== metadata.uid) continue;
      const config = proxyConfig(snapshot, pod, "");
      const text = JSON.stringify(config);
      if (text === proxy.sent) continue;
      proxy.sent = text;
      proxy.sentMs = performance.now();
      this.metrics.queueTime.observe((proxy.sentMs - startMs) / 1000);
      this.metrics.configSize.observe(text.length);
      for (const type of ["cds", "eds", "rds"]) {
        this.metrics.count("pilot_xds_pushes", `type="${type}"`);
      }
      proxy.connection.configure({ ...config, version });
    }
    this.metrics.pushTime.observe((performance.now() - startMs) / 1000);
  }
}

function eventName(type: string): string {
  return type === "ADDED" ? "add" : type === "DELETED" ? "delete" : "update";
}
