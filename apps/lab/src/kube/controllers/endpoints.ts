import { randomSuffix } from "../store.ts";
import { type JsonObject, jsonEqual } from "../json.ts";
import {
  controllerReference,
  isPodReady,
  type KubeObject,
  type Pod,
  type Service,
  type ServicePort,
} from "../object.ts";
import { mapSelects } from "../selectors.ts";
import { type ControllerContext, splitKey, startReconciler } from "./reconciler.ts";

/** Keeps the Endpoints and EndpointSlices of every Service with a selector in step with its pods. */
const fieldManager = "kube-controller-manager";
const serviceNameLabel = "kubernetes.io/service-name";
const managedByLabel = "endpointslice.kubernetes.io/managed-by";

type PortSet = { ports: JsonObject[]; pods: Pod[] };

export function startEndpointsController(context: ControllerContext): () => void {
  const { store } = context;
  const queue = startReconciler(context, "endpoints-controller", (key) => reconcile(context, key));
  const stops = [
    store.watch(
      "Service",
      ({ object }) => queue.enqueue(`${object.metadata.namespace}/${object.metadata.name}`),
      { replay: true },
    ),
    store.watch("Pod", ({ object }) => {
      for (const service of store.list("Service", { namespace: object.metadata.namespace ?? "" })) {
        const { selector } = service.spec;
        if (selector !== undefined && mapSelects(selector, object.metadata.labels)) {
          queue.enqueue(`${service.metadata.namespace}/${service.metadata.name}`);
        }
      }
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    queue.stop();
  };
}

function reconcile(context: ControllerContext, key: string): void {
  const { store } = context;
  const [namespace, name] = splitKey(key);
  const service = store.get("Service", namespace, name);
  if (service === undefined) {
    if (store.get("Endpoints", namespace, name)) store.delete("Endpoints", namespace, name);
    return;
  }
  const { selector } = service.spec;
  if (selector === undefined || Object.keys(selector).length === 0) return;
  const pods = store
    .list("Pod", { namespace })
    .filter((pod) => mapSelects(selector, pod.metadata.labels))
    .filter((pod) => (pod.status.podIP ?? "") !== "" && !isFinished(pod));
  const portSets = byPorts(service, pods);
  writeEndpoints(context, service, portSets);
  writeSlices(context, service, portSets);
}

function isFinished(pod: Pod): boolean {
  return pod.status.phase === "Succeeded" || pod.status.phase === "Failed";
}

/** Pods grouped by the port numbers that the Service's target ports mean on them. */
function byPorts(service: Service, pods: readonly Pod[]): PortSet[] {
  const sets = new Map<string, PortSet>();
  for (const pod of pods) {
    const ports = (service.spec.ports ?? []).flatMap((port) => endpointPort(port, pod));
    const key = JSON.stringify(ports);
    const set = sets.get(key);
    if (set === undefined) sets.set(key, { ports, pods: [pod] });
    else set.pods.push(pod);
  }
  return [...sets.entries()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, set]) => set);
}

function endpointPort(port: ServicePort, pod: Pod): JsonObject[] {
  const target = port.targetPort ?? port.port;
  const number =
    typeof target === "number"
      ? target
      : pod.spec.containers
          .flatMap((container) => container.ports ?? [])
          .find((each) => each.name === target)?.containerPort;
  if (number === undefined) return [];
  return [
    {
      ...(port.name === undefined ? {} : { name: port.name }),
      port: number,
      protocol: port.protocol ?? "TCP",
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    },
  ];
}

function targetOf(pod: Pod): JsonObject {
  return {
    kind: "Pod",
    namespace: pod.metadata.namespace ?? "",
    name: pod.metadata.name,
    uid: pod.metadata.uid ?? "",
  };
}

function addressOf(pod: Pod): JsonObject {
  return {
    ip: pod.status.podIP ?? "",
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: targetOf(pod),
  };
}

function writeEndpoints(
  { store }: ControllerContext,
  service: Service,
  portSets: readonly PortSet[],
): void {
  const { namespace, name } = service.metadata;
  const everyPod = service.spec.publishNotReadyAddresses === true;
  const subsets = portSets.flatMap(({ ports, pods }): JsonObject[] => {
    const present = pods.filter((pod) => everyPod || pod.metadata.deletionTimestamp === undefined);
    const ready = present.filter((pod) => everyPod || isPodReady(pod)).map(addressOf);
    const notReady = present.filter((pod) => !everyPod && !isPodReady(pod)).map(addressOf);
    if (present.length === 0) return [];
    return [
      {
        ...(ready.length > 0 ? { addresses: ready } : {}),
        ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
        ...(ports.length > 0 ? { ports } : {}),
      },
    ];
  });
  const present = store.get("Endpoints", namespace, name);
  if (present === undefined) {
    store.create(
      {
        apiVersion: "v1",
        kind: "Endpoints",
        metadata: {
          name,
          namespace: namespace ?? "",
          ...(service.metadata.labels === undefined ? {} : { labels: service.metadata.labels }),
        },
        ...(subsets.length > 0 ? { subsets } : {}),
      },
      { fieldManager },
    );
  } else if (!jsonEqual(present["subsets"] ?? [], subsets)) {
    store.update({ ...present, subsets }, { fieldManager });
  }
}

function writeSlices(
  { store }: ControllerContext,
  service: Service,
  portSets: readonly PortSet[],
): void {
  const { namespace, name } = service.metadata;
  const present = store.list("EndpointSlice", {
    namespace: namespace ?? "",
    labelSelector: `${serviceNameLabel}=${name}`,
  });
  const wanted = portSets.map(({ ports, pods }) => ({
    endpoints: pods.map(endpointOf),
    ports: ports.map((port) => ({ name: "", ...port })),
  }));
  if (wanted.length === 0) wanted.push({ endpoints: [], ports: [] });
  wanted.forEach(({ endpoints, ports }, index) => {
    const slice = present[index];
    if (slice === undefined) {
      store.create(newSlice(service, endpoints, ports), { fieldManager });
    } else if (!jsonEqual(slice["endpoints"], endpoints) || !jsonEqual(slice["ports"], ports)) {
      store.update({ ...slice, endpoints, ports }, { fieldManager });
    }
  });
  for (const slice of present.slice(wanted.length)) {
    store.delete("EndpointSlice", namespace, slice.metadata.name);
  }
}

function endpointOf(pod: Pod): JsonObject {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  return {
    addresses: [pod.status.podIP ?? ""],
    conditions: { ready: isPodReady(pod) && !terminating, serving: isPodReady(pod), terminating },
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: targetOf(pod),
  };
}

function newSlice(service: Service, endpoints: JsonObject[], ports: JsonObject[]): KubeObject {
  const { namespace, name, labels } = service.metadata;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${name}-${randomSuffix()}`,
      generateName: `${name}-`,
      namespace: namespace ?? "",
      labels: {
        ...labels,
        [managedByLabel]: "endpointslice-controller.k8s.io",
        [serviceNameLabel]: name,
      },
      ownerReferences: [controllerReference(service)],
    },
    addressType: "IPv4",
    endpoints,
    ports,
  };
}
