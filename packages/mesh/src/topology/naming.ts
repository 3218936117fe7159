/**
 * Which node a sample's source and destination are. Nodes are canonical services, "namespace/name". A request that never
 * reached a workload (no healthy host, pool overflow, no route) names only the service it was for, so that its node comes
 * from the Kubernetes Service.
 */
import type { LabelMap } from "@skopos/model";
import { type ObjectStore, serviceIdOfService } from "../cluster/store.ts";

export interface NodeName {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  /** What the labels alone tell. */
  readonly hint: "mesh" | "external" | "unknown";
}

const absent = new Set(["", "unknown"]);
const clusters = new Set(["PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster"]);
const isNamed = (value: string | undefined): value is string =>
  value !== undefined && !absent.has(value);

function inMesh(namespace: string, name: string): NodeName {
  return { id: `${namespace}/${name}`, namespace, name, hint: "mesh" };
}

const outside: NodeName = {
  id: "unknown/unknown",
  namespace: "unknown",
  name: "unknown",
  hint: "unknown",
};

export function sourceNode(labels: LabelMap): NodeName {
  const name = labels["source_canonical_service"];
  const workload = labels["source_workload"];
  const namespace = labels["source_workload_namespace"];
  const best = isNamed(name) ? name : workload;
  return isNamed(best) && isNamed(namespace) ? inMesh(namespace, best) : outside;
}

/** `services` maps "namespace/Kubernetes Service" to node ids. */
export function destinationNode(labels: LabelMap, services: ReadonlyMap<string, string>): NodeName {
  const canonical = labels["destination_canonical_service"];
  const workload = labels["destination_workload"];
  const space = labels["destination_workload_namespace"];
  const best = isNamed(canonical) ? canonical : workload;
  if (isNamed(best) && isNamed(space)) return inMesh(space, best);
  const service = labels["destination_service_name"];
  if (!isNamed(service)) return outside;
  if (clusters.has(service))
    return { id: `external/${service}`, namespace: "external", name: service, hint: "external" };
  const serviceSpace = labels["destination_service_namespace"];
  if (!isNamed(serviceSpace))
    return { id: `external/${service}`, namespace: "external", name: service, hint: "external" };
  const known = services.get(`${serviceSpace}/${service}`);
  const [knownSpace, knownName] = (known ?? "").split("/");
  return inMesh(knownSpace || serviceSpace, knownName ?? service);
}

/** Every Kubernetes Service and the node behind it. */
export function serviceNodes(store: ObjectStore): Map<string, string> {
  return new Map(
    store
      .objects("Service")
      .map((service) => [
        `${service.metadata.namespace ?? "default"}/${service.metadata.name}`,
        serviceIdOfService(store, service),
      ]),
  );
}

const gatewayName = /(?:^|-)(?:ingress|egress)?-?gateway(?:$|-)/;

/** Whether a workload is a gateway: by Istio's labels, else by the name that its installers give. */
export function isGateway(
  name: string,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (labels?.["istio"]?.endsWith("gateway") || labels?.["gateway.networking.k8s.io/gateway-name"])
    return true;
  return gatewayName.test(name);
}
