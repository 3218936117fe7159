/**
 * The lab's kubelet: runs the pods that are bound to its node as processes (or, for the control plane's own, as servers
 * in this process), reports their status, usage and logs, and connects their proxies to istiod.
 */
import type { Istiod } from "../istio/istiod.ts";
import { applicationPorts, targetPortIn, workloadOf } from "../istio/registry.ts";
import { mapAt } from "../kube/json.ts";
import type { EventRecorder } from "../kube/events.ts";
import type { ContainerUsage, LogOptions, NodeAgent } from "../kube/node-agent.ts";
import type { Pod } from "../kube/object.ts";
import { parseQuantity } from "../kube/quantity.ts";
import type { KubeStore } from "../kube/store.ts";
import type { PodStart } from "../pod/messages.ts";
import { seedOf } from "../pod/work.ts";
import { runnableImage } from "../topology/app-definitions.ts";
import { controlImagePrefix, proxyTag } from "../topology/expand.ts";
import type { Topology } from "../topology/topology-file.ts";
import type { PodAddresses } from "./addresses.ts";
import { type ControlPages, runControlPod } from "./control-pod.ts";
import type { LogShipper } from "./log-shipper.ts";
import type { PodEntry } from "./pod-process.ts";
import { environmentOf, PodRun } from "./pod-run.ts";
import { podStatus, type PodRunState } from "./pod-status.ts";

const measureEveryMs = 1000;
const podsMax = 250;

export interface NodeAgentOptions {
  readonly store: KubeStore;
  readonly events: EventRecorder;
  readonly istiod: Istiod;
  readonly topology: Topology;
  readonly addresses: PodAddresses;
  readonly entry: PodEntry;
  readonly otlpUrl: string | undefined;
  readonly shipper: LogShipper | undefined;
  readonly pages: ControlPages;
  readonly seed: number;
  readonly log: (message: string) => void;
}

/** What runs for a pod, process or not. */
interface RunningPod {
  readonly pod: Pod;
  readonly address: string;
  readonly run: PodRun | undefined;
  state(): PodRunState;
  stop(graceMs: number): void;
  kill(): void;
}

export class LabNode implements NodeAgent {
  readonly #options: NodeAgentOptions;
  /** By pod uid; bounded by `podsMax`. */
  readonly #running = new Map<string, RunningPod>();
  readonly #stopWatch: () => void;
  readonly #measuring: ReturnType<typeof setInterval>;
  #closing = false;
  #whenEmpty: () => void = () => undefined;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    const reconcile = (pod: Pod) => this.#reconcile(pod);
    this.#stopWatch = options.store.watch(
      "Pod",
      ({ type, object }) => (type === "DELETED" ? this.#removed(object) : reconcile(object)),
      { replay: true },
    );
    this.#measuring = setInterval(() => {
      for (const { run } of this.#running.values()) run?.measure();
    }, measureEveryMs);
  }

  /** Runs of process pods, with their pods. */
  runs(): { pod: Pod; run: PodRun }[] {
    return [...this.#running.values()].flatMap(({ pod, run }) =>
      run === undefined ? [] : [{ pod, run }],
    );
  }

  logs(
    namespace: string,
    pod: string,
    container: string,
    options: LogOptions,
  ): AsyncIterable<string> | string[] {
    const found = this.#find(namespace, pod);
    return found?.run?.logs.get(container)?.read(options) ?? [];
  }

  usage(): ContainerUsage[] {
    return [...this.#running.values()].flatMap(({ run }) => run?.usage() ?? []);
  }

  /** Where the pod's port is reached: the port itself, unless pods share one address. */
  reachedPort(pod: Pod, port: number): number {
    return this.#running.get(pod.metadata.uid ?? "")?.run?.reached[port] ?? port;
  }

  /** Ends every pod; resolves when no process is left. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#stopWatch();
    clearInterval(this.#measuring);
    const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve));
    for (const running of this.#running.values()) running.kill();
    if (this.#running.size > 0) await empty;
  }

  #find(namespace: string, name: string): RunningPod | undefined {
    for (const running of this.#running.values()) {
      const { metadata } = running.pod;
      if (metadata.namespace === namespace && metadata.name === name) return running;
    }
    return undefined;
  }

  #reconcile(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    const running = this.#running.get(uid);
    if (pod.metadata.deletionTimestamp !== undefined) {
      const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 5) * 1000;
      if (running === undefined) this.#finalize(pod);
      else running.stop(graceMs);
      return;
    }
    if (running !== undefined || pod.spec.nodeName === undefined || this.#closing) return;
    if (this.#running.size >= podsMax) {
      this.#options.events.record(pod, note("Warning", "OutOfpods", `${podsMax} pods already run`));
      return;
    }
    // Outside of the store's notification: what follows writes to the store again.
    queueMicrotask(() => this.#start(pod));
  }

  #removed(pod: Pod): void {
    this.#running.get(pod.metadata.uid ?? "")?.kill();
  }

  #start(pod: Pod): void {
    if (this.#closing || this.#running.has(pod.metadata.uid ?? "")) return;
    const image = pod.spec.containers[0]?.image ?? "";
    if (image.startsWith(controlImagePrefix)) return this.#startControl(pod, image);
    const { topology } = this.#options;
    const application = pod.spec.containers.find(({ name }) => name !== "istio-proxy");
    const runnable = runnableImage(topology, application?.image ?? image);
    if (runnable === undefined) return this.#cannotPull(pod, application?.image ?? image);
    const { address, appAddress } = this.#options.addresses.take();
    const { identity } = workloadOf(pod);
    const start: PodStart = {
      type: "start",
      self: identity,
      role: runnable.role,
      address,
      appAddress,
      freePorts: !this.#options.addresses.own,
      ports: applicationPorts(pod).map((port) => ({ port, protocol: "http" })),
      app: runnable.definition,
      environment: { ...runnable.environment, ...environmentOf(pod) },
      otlpUrl: this.#options.otlpUrl,
      serviceName: `${identity.canonicalService}.${identity.namespace}`,
      seed: seedOf(`${this.#options.seed} ${pod.metadata.name}`),
      proxyTag,
    };
    this.#track(pod, address, (changed, stopped) => this.#run(pod, start, changed, stopped));
    return undefined;
  }

  #startControl(pod: Pod, image: string): void {
    const { address } = this.#options.addresses.take();
    this.#track(pod, address, (changed, stopped) => {
      const port = targetPortIn(pod, "http-monitoring") ?? 8080;
      const name = image.slice(controlImagePrefix.length).split(":")[0] ?? "";
      const free = !this.#options.addresses.own;
      const control = runControlPod(
        this.#options.pages,
        name,
        { address, port, free },
        changed,
        stopped,
      );
      return { ...control, run: undefined };
    });
  }

  #cannotPull(pod: Pod, image: string): void {
    const message = `the topology knows no image "${image}": use one of its apps' images and tags`;
    this.#options.events.record(pod, note("Warning", "Failed", message));
    const phase = { kind: "waiting", reason: "ImagePullBackOff", message } as const;
    const state: PodRunState = {
      phase,
      ready: false,
      restarts: 0,
      address: undefined,
      nodeAddress: "127.0.0.1",
      startedMs: Date.now(),
      lastExit: undefined,
    };
    this.#track(pod, "", (changed, stopped) => {
      queueMicrotask(changed);
      return { run: undefined, state: () => state, stop: stopped, kill: stopped };
    });
  }

  #track(
    pod: Pod,
    address: string,
    begin: (changed: () => void, stopped: () => void) => Omit<RunningPod, "pod" | "address">,
  ): void {
    const uid = pod.metadata.uid ?? "";
    const stopped = () => {
      if (!this.#running.delete(uid)) return;
      this.#options.istiod.disconnect(pod);
      if (address !== "") this.#options.addresses.give(address);
      if (!this.#closing) this.#finalize(pod);
      if (this.#running.size === 0) this.#whenEmpty();
    };
    const running = begin(() => this.#report(pod), stopped);
    this.#running.set(uid, { pod, address, ...running });
    this.#report(pod);
  }

  #run(
    pod: Pod,
    start: PodStart,
    changed: () => void,
    stopped: () => void,
  ): Omit<RunningPod, "pod" | "address"> {
    const { istiod, events, shipper } = this.#options;
    const application = pod.spec.containers.find(({ name }) => name !== "istio-proxy");
    const limit = mapAt(application, "resources", "limits")["memory"];
    const streams = streamLabels(pod);
    const run = new PodRun({
      pod,
      start,
      entry: this.#options.entry,
      nodeAddress: "127.0.0.1",
      memoryLimitBytes:
        typeof limit === "string" || typeof limit === "number" ? parseQuantity(limit) : undefined,
      onProcess: (process) => {
        istiod.disconnect(pod);
        istiod.connect({
          pod,
          configure: (config) => process.configure(config),
          identify: (issued) => process.identify(issued),
        });
      },
      onCsr: (publicKey) => {
        istiod.certify(pod, publicKey).catch((error: unknown) => {
          this.#options.log(`no certificate for ${pod.metadata.name}: ${String(error)}`);
        });
      },
      onApplied: () => istiod.applied(pod),
      onRejected: (reason) => istiod.rejected(pod, reason),
      onChanged: changed,
      onStopped: stopped,
      onEvent: (type, reason, message) => events.record(pod, note(type, reason, message)),
      onLines: (container, lines, timeMs) => {
        const stream = streams.get(container);
        if (shipper === undefined || stream === undefined) return;
        for (const line of lines) shipper.add(stream, line, timeMs);
      },
    });
    istiod.metrics.injections++;
    return {
      run,
      state: () => run.state,
      stop: (graceMs) => run.stop(graceMs),
      kill: () => run.kill(),
    };
  }

  /** Writes the pod's status as it is now, and where it is scraped if that is no fixed port. */
  #report(pod: Pod): void {
    const running = this.#running.get(pod.metadata.uid ?? "");
    const { store, addresses } = this.#options;
    const { namespace, name, uid } = pod.metadata;
    const current = store.get("Pod", namespace, name);
    if (running === undefined || current === undefined || current.metadata.uid !== uid) return;
    const port = running.run?.statsPort ?? 0;
    if (!addresses.own && port > 0) {
      const annotations = { "prometheus.io/port": String(port) };
      store.patch("Pod", namespace, name, "merge", { metadata: { annotations } });
    }
    const latest = store.get("Pod", namespace, name) ?? current;
    const status = podStatus(latest, running.state(), Date.now());
    store.updateStatus({ ...latest, status }, { fieldManager: "kubelet" });
  }

  #finalize(pod: Pod): void {
    const { namespace, name, uid } = pod.metadata;
    const current = this.#options.store.get("Pod", namespace, name);
    if (current === undefined || current.metadata.uid !== uid) return;
    if (current.metadata.deletionTimestamp === undefined) return;
    this.#options.store.delete("Pod", namespace, name, { gracePeriodSeconds: 0 });
  }
}

function note(type: "Normal" | "Warning", reason: string, message: string) {
  return { type, reason, message, component: "kubelet", host: "skopos-lab" };
}

/** Per container, the Loki stream of its lines as JSON text. */
function streamLabels(pod: Pod): Map<string, string> {
  const { identity } = workloadOf(pod);
  return new Map(
    pod.spec.containers.map(({ name }) => [
      name,
      JSON.stringify({
        namespace: identity.namespace,
        pod: identity.pod,
        container: name,
        app: identity.app,
        version: identity.version,
        job: `${identity.namespace}/${identity.app}`,
      }),
    ]),
  );
}
