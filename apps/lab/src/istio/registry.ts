/**
 * What istiod knows of the cluster: services with their ports, and pods as workloads, read from the Kubernetes store.
 * Host names resolve as Istio's: short names belong to the namespace of the object that uses them.
 */
import { listAt, numberAt, stringAt } from "../kube/json.ts";
import { controllerOf, isPodReady, type Pod, type Service } from "../kube/object.ts";
import type { KubeStore } from "../kube/store.ts";
import type { ServiceIdentity, WorkloadIdentity } from "../proxy/config.ts";

const clusterDomain = "svc.cluster.local";
const clusterId = "Kubernetes";
export const trustDomain = "cluster.local";
export const rootNamespace = "istio-system";

export interface RegistryPort {
  readonly port: number;
  readonly name: string;
  readonly targetPort: number | string;
  readonly protocol: "http" | "tcp";
}

export interface RegistryService extends ServiceIdentity {
  readonly ports: readonly RegistryPort[];
  readonly selector: Readonly<Record<string, string>>;
}

export interface Workload {
  readonly pod: Pod;
  readonly identity: WorkloadIdentity;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  readonly ready: boolean;
  readonly hasSidecar: boolean;
}

/** "reviews" used in namespace "bookinfo" → "reviews.bookinfo.svc.cluster.local". Names with a dot stand as they are. */
export function resolveHost(host: string, namespace: string): string {
  if (host === "*" || host.startsWith("*.")) return host;
  if (!host.includes(".")) return `${host}.${namespace}.${clusterDomain}`;
  const parts = host.split(".");
  if (parts.length === 2) return `${host}.${clusterDomain}`;
  return host.endsWith(".svc") ? `${host}.cluster.local` : host;
}

export function readServices(store: KubeStore): RegistryService[] {
  return store
    .list("Service")
    .filter((service) => service.spec.selector !== undefined)
    .map(serviceOf);
}

function serviceOf(service: Service): RegistryService {
  const { name, namespace = "default" } = service.metadata;
  return {
    host: `${name}.${namespace}.${clusterDomain}`,
    name,
    namespace,
    selector: service.spec.selector ?? {},
    ports: (service.spec.ports ?? []).map((port) => ({
      port: port.port,
      name: port.name ?? "",
      targetPort: port.targetPort ?? port.port,
      protocol: protocolOf(port.name, port.appProtocol),
    })),
  };
}

/** By `appProtocol`, else the port name's prefix. What names nothing is taken for HTTP; Istio would look at the bytes. */
function protocolOf(name: string | undefined, appProtocol: string | undefined): "http" | "tcp" {
  const stated = (appProtocol ?? name?.split("-", 1)[0] ?? "").toLowerCase();
  return ["tcp", "mongo", "mysql", "redis", "postgres", "tls"].includes(stated) ? "tcp" : "http";
}

export function workloadOf(pod: Pod): Workload {
  const labels = pod.metadata.labels ?? {};
  const namespace = pod.metadata.namespace ?? "default";
  const workload = workloadName(pod);
  const app = labels["app"] ?? labels["app.kubernetes.io/name"];
  const version = labels["version"] ?? labels["app.kubernetes.io/version"];
  const account = pod.spec.serviceAccountName ?? "default";
  return {
    pod,
    labels,
    address: pod.status.podIP ?? "",
    ready: isPodReady(pod) && pod.metadata.deletionTimestamp === undefined,
    hasSidecar: pod.spec.containers.some(({ name }) => name === "istio-proxy"),
    identity: {
      workload,
      namespace,
      app: app ?? "unknown",
      version: version ?? "unknown",
      canonicalService: labels["service.istio.io/canonical-name"] ?? app ?? workload,
      canonicalRevision: labels["service.istio.io/canonical-revision"] ?? version ?? "latest",
      principal: `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`,
      cluster: clusterId,
      pod: pod.metadata.name,
    },
  };
}

/** The Deployment's name: that of the ReplicaSet without its template hash. */
function workloadName(pod: Pod): string {
  const owner = controllerOf(pod);
  if (owner?.kind !== "ReplicaSet") return owner?.name ?? pod.metadata.name;
  const hash = pod.metadata.labels?.["pod-template-hash"];
  return hash === undefined ? owner.name : owner.name.replace(new RegExp(`-${hash}$`), "");
}

export function selects(
  selector: Readonly<Record<string, unknown>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** The container port that a service's targetPort means in that pod; undefined when a name is not found. */
export function targetPortIn(pod: Pod, targetPort: number | string): number | undefined {
  if (typeof targetPort === "number") return targetPort;
  for (const container of pod.spec.containers) {
    for (const port of listAt(container, "ports")) {
      if (stringAt(port, "name") === targetPort) return numberAt(port, "containerPort");
    }
  }
  return undefined;
}

/** Ports of the pod's application containers (of the gateway's, where that is all there is). */
export function applicationPorts(pod: Pod): number[] {
  const application = pod.spec.containers.filter(({ name }) => name !== "istio-proxy");
  const containers = application.length > 0 ? application : pod.spec.containers;
  return containers.flatMap((container) =>
    listAt(container, "ports").flatMap((port) => {
      const number = numberAt(port, "containerPort");
      return number === undefined || number === 15_090 ? [] : [number];
    }),
  );
}

export function isGateway(workload: Workload): boolean {
  return workload.labels["istio"] === "ingressgateway";
}
