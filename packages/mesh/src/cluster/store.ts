/**
 * What the cluster's objects say about services: which deployments and pods stand behind a service, which configuration
 * applies to it. Pure look-ups over a read interface, so that watches, tests and remembered states can stand behind it.
 */
import type { EntityRef } from "@skopos/api";
import { type KubeObject, keyOf, listAt, mapAt, numberAt, textAt } from "../kube/object.ts";

export interface ObjectStore {
  objects(kind: string): readonly KubeObject[];
}

/** The id of a service's node: "namespace/canonical name". */
export type ServiceId = string;

const canonicalLabels = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];

/** Istio's canonical service of a workload, by its pod labels; the workload's own name when no label names one. */
function canonicalName(labels: Readonly<Record<string, string>>, workload: string): string {
  for (const label of canonicalLabels) {
    const name = labels[label];
    if (name) return name;
  }
  return workload;
}

export function templateLabels(deployment: KubeObject): Readonly<Record<string, string>> {
  return mapAt(deployment, "spec", "template", "metadata", "labels");
}

export function serviceIdOfDeployment(deployment: KubeObject): ServiceId {
  const { name, namespace } = deployment.metadata;
  return `${namespace ?? "default"}/${canonicalName(templateLabels(deployment), name)}`;
}

function serviceIdOfPod(pod: KubeObject): ServiceId {
  const { name, namespace, labels } = pod.metadata;
  return `${namespace ?? "default"}/${canonicalName(labels ?? {}, name)}`;
}

function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const entries = Object.entries(selector);
  return entries.length > 0 && entries.every(([name, value]) => labels[name] === value);
}

export function deploymentsOf(store: ObjectStore, serviceId: ServiceId): KubeObject[] {
  return store.objects("Deployment").filter((item) => serviceIdOfDeployment(item) === serviceId);
}

/** Pods of a deployment by its selector; those that are going away are left out. */
export function podsOf(store: ObjectStore, deployment: KubeObject): KubeObject[] {
  const selector = mapAt(deployment, "spec", "selector", "matchLabels");
  return store
    .objects("Pod")
    .filter(
      (pod) =>
        pod.metadata.namespace === deployment.metadata.namespace &&
        pod.metadata.deletionTimestamp === undefined &&
        selects(selector, pod.metadata.labels ?? {}),
    );
}

/** The node behind a Kubernetes Service: the canonical service of the workload it selects, else its own name. */
export function serviceIdOfService(store: ObjectStore, service: KubeObject): ServiceId {
  const { name, namespace } = service.metadata;
  const selector = mapAt(service, "spec", "selector");
  const behind = store
    .objects("Deployment")
    .find(
      (item) => item.metadata.namespace === namespace && selects(selector, templateLabels(item)),
    );
  return behind ? serviceIdOfDeployment(behind) : `${namespace ?? "default"}/${name}`;
}

/** Resolves a host as Istio does: a bare name lies in the object's own namespace. */
export function serviceIdOfHost(
  store: ObjectStore,
  host: string,
  namespace: string | undefined,
): ServiceId | undefined {
  const [name = "", second] = host.replace(/\.svc\.cluster\.local$|\.svc$/, "").split(".");
  if (name === "" || name.includes("*")) return undefined;
  const space = second ?? namespace ?? "default";
  const service = store
    .objects("Service")
    .find((item) => item.metadata.name === name && item.metadata.namespace === space);
  return service ? serviceIdOfService(store, service) : `${space}/${name}`;
}

/** Hosts that a mesh object speaks about: a DestinationRule's, those a VirtualService receives for and routes to. */
export function hostsOf(object: KubeObject): string[] {
  const host = textAt(object, "spec", "host");
  const hosts = new Set<string>(host === undefined ? [] : [host]);
  for (const item of listAt(object, "spec", "hosts")) if (typeof item === "string") hosts.add(item);
  for (const protocol of ["http", "tcp", "tls"])
    for (const rule of listAt(object, "spec", protocol))
      for (const route of listAt(rule, "route")) {
        const to = textAt(route, "destination", "host");
        if (to !== undefined) hosts.add(to);
      }
  return [...hosts];
}

function selectorOf(object: KubeObject): Readonly<Record<string, string>> {
  return mapAt(object, "spec", "selector", "matchLabels");
}

/** The services whose traffic an object of configuration shapes. "namespace" means all of its namespace. */
export function servicesTouchedBy(
  store: ObjectStore,
  object: KubeObject,
): readonly ServiceId[] | "namespace" {
  const namespace = object.metadata.namespace;
  switch (object.kind) {
    case "Deployment":
      return [serviceIdOfDeployment(object)];
    case "Pod":
      return [serviceIdOfPod(object)];
    case "Service":
      return [serviceIdOfService(store, object)];
    case "DestinationRule":
    case "VirtualService":
    case "ServiceEntry":
      return [
        ...new Set(
          hostsOf(object)
            .map((host) => serviceIdOfHost(store, host, namespace))
            .filter((id) => id !== undefined),
        ),
      ];
    case "PeerAuthentication":
    case "AuthorizationPolicy": {
      const selector = selectorOf(object);
      if (Object.keys(selector).length === 0) return "namespace";
      return store
        .objects("Deployment")
        .filter(
          (item) =>
            item.metadata.namespace === namespace && selects(selector, templateLabels(item)),
        )
        .map(serviceIdOfDeployment);
    }
    case "Namespace":
      return "namespace";
    default:
      return [];
  }
}

/** Whether configuration shapes the traffic of a service. */
export function appliesTo(store: ObjectStore, object: KubeObject, serviceId: ServiceId): boolean {
  const touched = servicesTouchedBy(store, object);
  if (touched !== "namespace") return touched.includes(serviceId);
  const space = object.kind === "Namespace" ? object.metadata.name : object.metadata.namespace;
  return space === "istio-system" || serviceId.startsWith(`${space ?? "default"}/`);
}

export interface Replicas {
  readonly ready: number;
  readonly desired: number;
}

export function replicasOf(deployment: KubeObject): Replicas {
  return {
    ready: numberAt(deployment, "status", "readyReplicas") ?? 0,
    desired: numberAt(deployment, "spec", "replicas") ?? 1,
  };
}

const workloadKinds = new Set(["Deployment", "ReplicaSet"]);

/** An object as a thing with a home page. */
export function entityOf(object: KubeObject): EntityRef {
  const { name, namespace } = object.metadata;
  const key = keyOf({ namespace, name });
  const space = namespace === undefined ? {} : { namespace };
  if (object.kind === "Pod") return { kind: "pod", id: key, name, ...space };
  if (object.kind === "Namespace") return { kind: "namespace", id: name, name };
  if (workloadKinds.has(object.kind))
    return { kind: "workload", id: key, name, ...space, objectKind: object.kind };
  return { kind: "config", id: `${object.kind}/${key}`, name, ...space, objectKind: object.kind };
}

export function serviceEntity(serviceId: ServiceId): EntityRef {
  const [namespace = "", name = serviceId] = serviceId.split("/");
  return { kind: "service", id: serviceId, name, namespace };
}
