/**
 * The lab: a Kubernetes API, a node that runs pods as processes, istiod, cluster metrics, a load, and a control API, put
 * together from a topology file. `stop()` leaves nothing running.
 */
import { systemClock } from "@skopos/model";
import { startControlApi } from "./control/control-api.ts";
import { createCertificateAuthority } from "./istio/certificate-authority.ts";
import { Istiod } from "./istio/istiod.ts";
import { trustDomain } from "./istio/registry.ts";
import { createKubeApi, type KubeApi } from "./kube/api.ts";
import type { NodeAgent } from "./kube/node-agent.ts";
import { isPodReady, type KubeObject, type Pod } from "./kube/object.ts";
import type { LoadReport } from "./load/report.ts";
import { LoadProcess } from "./load/load-process.ts";
import { claimAddresses, type PodAddresses } from "./node/addresses.ts";
import { cadvisorText } from "./node/cadvisor.ts";
import { kubeStateText } from "./node/kube-state-metrics.ts";
import { LogShipper } from "./node/log-shipper.ts";
import { LabNode } from "./node/node-agent.ts";
import type { PodEntry } from "./node/pod-process.ts";
import { readProcessUsage } from "./node/process-usage.ts";
import { Breakage } from "./scenario/breakage.ts";
import { ScenarioLibrary } from "./scenario/library.ts";
import { controlObjects, expandTopology, proxyTag } from "./topology/expand.ts";
import { readTopology, type Topology } from "./topology/topology-file.ts";

export interface LabOptions {
  readonly topologyFile: string;
  /** Directory of scenario files. */
  readonly scenariosDir: string;
  /** Port of the Kubernetes API; 0 takes a free one. */
  readonly kubePort: number;
  /** Port of the lab's control API; 0 takes a free one. */
  readonly controlPort: number;
  /** Base URL of an OTLP/HTTP receiver; absent: spans are not recorded. */
  readonly otlpUrl?: string;
  /** Base URL of a Loki push API; absent: logs stay in the lab. */
  readonly lokiUrl?: string;
  /** Requests a second; the topology's when absent. 0: none. */
  readonly rps?: number;
  readonly seed: number;
  /** Script that calls `runPod`, and Node's own arguments for it. */
  readonly podEntry: PodEntry;
  /** Script that calls `runLoad`. */
  readonly loadEntry: PodEntry;
  /** Replicas of every app, in place of the topology's: for small labs in tests. */
  readonly replicas?: number;
  readonly log: (message: string) => void;
}

export interface Lab {
  readonly kubeUrl: string;
  readonly controlUrl: string;
  /** Where the load comes in. */
  readonly gatewayUrl: string;
  readonly kube: KubeApi;
  report(): Promise<LoadReport | undefined>;
  /** Of the pods' and the load's processes, as they are now. */
  processIds(): number[];
  stop(): Promise<void>;
}

const host = "127.0.0.1";
const startWithinMs = 60_000;

/** Starts everything and resolves once every workload is ready and the load has begun. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const topology = withReplicas(readTopology(options.topologyFile), options.replicas);
  const library = new ScenarioLibrary(options.scenariosDir);
  const addresses = await claimAddresses();
  const stops: (() => Promise<void> | void)[] = [() => addresses.release()];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const mesh = await startMesh(options, topology, addresses, stops);
    const { url: kubeUrl } = await mesh.kube.listen(options.kubePort, host);
    applyAll(mesh.kube, [...controlObjects(), ...expandTopology(topology)]);
    const gateway = await whenReady(mesh.kube, topology);
    const load = startLoad(options, topology, mesh, gateway);
    stops.push(() => load.stop());
    const control = await startControlApi({
      port: options.controlPort,
      host,
      library,
      breakage: new Breakage({ store: mesh.kube.store, load, log: options.log }),
      load,
    });
    stops.push(() => control.close());
    return {
      kubeUrl,
      controlUrl: control.url,
      gatewayUrl: `http://${gateway.address}:${gateway.port}`,
      kube: mesh.kube,
      report: () => load.report(),
      processIds: () =>
        [load.pid, ...mesh.node.runs().map(({ run }) => run.pid)].filter(
          (pid) => pid !== undefined,
        ),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Mesh {
  readonly kube: KubeApi;
  readonly node: LabNode;
}

async function startMesh(
  options: LabOptions,
  topology: Topology,
  addresses: PodAddresses,
  stops: (() => Promise<void> | void)[],
): Promise<Mesh> {
  const { log } = options;
  const shipper = options.lokiUrl === undefined ? undefined : new LogShipper(options.lokiUrl);
  if (shipper !== undefined) stops.push(() => shipper.close());
  let node: LabNode | undefined;
  const agent: NodeAgent = {
    logs: (namespace, pod, container, how) => node?.logs(namespace, pod, container, how) ?? [],
    usage: () => node?.usage() ?? [],
  };
  const kube = createKubeApi({ clock: systemClock, nodeAgent: agent, log });
  stops.push(() => kube.close());
  const istiod = new Istiod({
    store: kube.store,
    authority: await createCertificateAuthority(() => Date.now(), trustDomain),
    certificateTtlMs: topology.mesh.certificateTtl,
    mesh: {
      outboundPolicy: topology.mesh.outbound,
      traceSampling: topology.mesh.traceSampling / 100,
      reachedPort: (pod, port) => node?.reachedPort(pod, port) ?? port,
    },
    log,
  });
  stops.push(() => istiod.stop());
  const started = new LabNode({
    store: kube.store,
    events: kube.events,
    istiod,
    topology,
    addresses,
    entry: options.podEntry,
    otlpUrl: options.otlpUrl,
    shipper,
    pages: {
      istiod: () => istiod.metrics.text(proxyTag) + processText(),
      "kube-state-metrics": () => kubeStateText(kube.store),
      cadvisor: () => cadvisorText(started.runs(), controlUsage(kube)),
    },
    seed: options.seed,
    log,
  });
  node = started;
  stops.push(() => started.close());
  return { kube, node: started };
}

function withReplicas(topology: Topology, replicas: number | undefined): Topology {
  if (replicas === undefined) return topology;
  return { ...topology, apps: topology.apps.map((app) => ({ ...app, replicas })) };
}

function applyAll(kube: KubeApi, objects: readonly KubeObject[]): void {
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    if (object.kind === "Namespace" && kube.store.get("Namespace", undefined, name)) continue;
    const namespaced = object.kind === "Namespace" ? undefined : (namespace ?? "default");
    kube.store.patch(object.kind, namespaced, name, "apply", object, {
      fieldManager: "skopos-lab",
    });
  }
}

/** Resolves with where the gateway listens once every Deployment has all its replicas ready. */
function whenReady(
  kube: KubeApi,
  topology: Topology,
): Promise<{ address: string; port: number; app: Topology["apps"][number] }> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const waiting = unready(kube);
      if (waiting.length > 0) return;
      const gateway = gatewayOf(kube, topology);
      if (gateway === undefined) return;
      finish();
      resolve(gateway);
    };
    const stopWatch = kube.store.watch("Deployment", () => queueMicrotask(check));
    const timer = setTimeout(() => {
      finish();
      const names = unready(kube).join(", ");
      reject(new Error(`not ready after ${startWithinMs / 1000} s: ${names}`));
    }, startWithinMs);
    const finish = () => {
      stopWatch();
      clearTimeout(timer);
    };
    check();
  });
}

function unready(kube: KubeApi): string[] {
  return kube.store
    .list("Deployment")
    .filter(({ spec, status }) => (status.readyReplicas ?? 0) < spec.replicas)
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

function gatewayOf(kube: KubeApi, topology: Topology) {
  const app = topology.apps.find(({ kind }) => kind === "gateway");
  if (app === undefined) return undefined;
  const pods = kube.store.list("Pod", {
    namespace: app.namespace,
    labelSelector: `app=${app.name}`,
  });
  const pod = pods.find(
    (each) => isPodReady(each) && each.metadata.deletionTimestamp === undefined,
  );
  const address = pod?.status.podIP;
  return address === undefined ? undefined : { address, port: app.port, app };
}

function startLoad(
  options: LabOptions,
  topology: Topology,
  mesh: Mesh,
  gateway: { address: string; port: number; app: Topology["apps"][number] },
): LoadProcess {
  const { kube, node } = mesh;
  const target = (address: string) => {
    const pod = kube.store.list("Pod").find((each) => each.status.podIP === address);
    return pod === undefined ? gateway.port : node.reachedPort(pod, gateway.port);
  };
  const load = new LoadProcess(options.loadEntry, {
    host: gateway.address,
    port: target(gateway.address),
    authority: topology.load.host,
    requests: topology.load.requests,
    rps: options.rps ?? topology.load.rps,
    shape: "steady",
    seed: options.seed,
  });
  // As a load balancer in front of the gateway would: follow it when its pod is replaced.
  let current = gateway.address;
  kube.store.watch("Pod", ({ object }) => {
    if (object.metadata.labels?.["app"] !== gateway.app.name) return;
    const next = gatewayOf(kube, topology)?.address;
    if (next === undefined || next === current || alive(kube, current)) return;
    current = next;
    load.redirect(next, target(next));
  });
  return load;
}

function alive(kube: KubeApi, address: string): boolean {
  return kube.store
    .list("Pod")
    .some((pod) => pod.status.podIP === address && pod.metadata.deletionTimestamp === undefined);
}

function processText(): string {
  const { user, system } = process.cpuUsage();
  const memory = process.memoryUsage();
  const started = (Date.now() / 1000 - process.uptime()).toFixed(3);
  return [
    "# TYPE process_cpu_seconds_total counter",
    `process_cpu_seconds_total ${(user + system) / 1e6}`,
    "# TYPE process_resident_memory_bytes gauge",
    `process_resident_memory_bytes ${memory.rss}`,
    "# TYPE process_start_time_seconds gauge",
    `process_start_time_seconds ${started}`,
    "",
  ].join("\n");
}

/** The control process counts once, as istiod's container. */
function controlUsage(kube: KubeApi) {
  const istiod: Pod | undefined = kube.store.list("Pod", { labelSelector: "app=istiod" })[0];
  const used = readProcessUsage(process.pid);
  if (istiod === undefined || used === undefined) return [];
  return [
    {
      pod: istiod,
      container: "discovery",
      cpuSeconds: used.cpuSeconds,
      memoryBytes: used.residentBytes,
    },
  ];
}
