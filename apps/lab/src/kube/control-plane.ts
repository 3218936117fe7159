import type { Clock } from "@skopos/model";
import { startDeploymentController } from "./controllers/deployment.ts";
import { startEndpointsController } from "./controllers/endpoints.ts";
import { startGarbageCollector } from "./controllers/garbage-collector.ts";
import { startNamespaceController } from "./controllers/namespaces.ts";
import { startPodDeletionEvents } from "./controllers/pod-deletion.ts";
import type { ControllerContext } from "./controllers/reconciler.ts";
import { startReplicaSetController } from "./controllers/replica-set.ts";
import { startScheduler } from "./controllers/scheduler.ts";
import { createCustomDefinitions } from "./custom-definitions.ts";
import { EventRecorder } from "./events.ts";
import { timestamp } from "./object.ts";
import type { KubeStore } from "./store.ts";

/** Everything that acts on the store by itself, and the objects every cluster begins with. */
export type NodeShape = {
  name: string;
  cpuCores: number;
  memoryBytes: number;
  podsMax: number;
  address: string;
};

export const defaultNode: NodeShape = {
  name: "skopos-lab",
  cpuCores: 4,
  memoryBytes: 8 * 2 ** 30,
  podsMax: 250,
  address: "127.0.0.1",
};

export type ControlPlane = { events: EventRecorder; stop(): void };

export function startControlPlane(
  store: KubeStore,
  clock: Clock,
  node: NodeShape,
  log: (message: string) => void,
): ControlPlane {
  const events = new EventRecorder(store, clock);
  const context: ControllerContext = { store, clock, events, log };
  for (const name of ["default", "kube-node-lease", "kube-public", "kube-system"]) {
    store.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  createApiService(store);
  createCustomDefinitions(store);
  createNode(store, clock, node);
  const stops = [
    startNamespaceController(context),
    startScheduler(context),
    startReplicaSetController(context),
    startDeploymentController(context),
    startEndpointsController(context),
    startGarbageCollector(context),
    startPodDeletionEvents(context),
  ];
  return {
    events,
    stop() {
      for (const stop of stops) stop();
    },
  };
}

function createApiService(store: KubeStore): void {
  store.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { component: "apiserver", provider: "kubernetes" },
    },
    spec: { ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 6443 }] },
  });
}

function createNode(store: KubeStore, clock: Clock, node: NodeShape): void {
  const resources = {
    cpu: String(node.cpuCores),
    memory: `${Math.floor(node.memoryBytes / 1024)}Ki`,
    pods: String(node.podsMax),
  };
  const now = timestamp(clock.nowMs());
  store.create({
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: node.name,
      labels: {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/control-plane": "",
      },
    },
    spec: {},
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: "InternalIP", address: node.address },
        { type: "Hostname", address: node.name },
      ],
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "kubelet is posting ready status",
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
      nodeInfo: {
        architecture: "amd64",
        bootID: "",
        containerRuntimeVersion: "skopos-lab://1",
        kernelVersion: "",
        kubeProxyVersion: "",
        kubeletVersion: "v1.32.4",
        machineID: "",
        operatingSystem: "linux",
        osImage: "Skopos lab (loopback)",
        systemUUID: "",
      },
    },
  });
}
