/** Which service of the mesh a span belongs to. */
import type { EntityRef } from "@skopos/api";
import type { Span } from "@skopos/model";

function textAt(attributes: Span["resource"], ...keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = attributes[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

export const namespaceKeys: readonly string[] = ["k8s.namespace.name", "service.namespace"];
export const requestIdKeys: readonly string[] = [
  "guid:x-request-id",
  "http.request.header.x-request-id",
];
/** All attributes that are read here. */
export const entityAttributes: readonly string[] = [...namespaceKeys, ...requestIdKeys];

/**
 * "namespace/name": of a sidecar from "name.namespace", which Istio makes its service name, of an application from
 * OpenTelemetry's resource attributes. Undefined when no namespace is told.
 */
export function serviceIdOf({ service, resource }: Span): string | undefined {
  return serviceId(service, textAt(resource, ...namespaceKeys));
}

function serviceId(service: string, namespace: string | undefined): string | undefined {
  const dot = service.lastIndexOf(".");
  if (dot > 0) return `${service.slice(dot + 1)}/${service.slice(0, dot)}`;
  return namespace === undefined ? undefined : `${namespace}/${service}`;
}

/** "namespace/name" of Istio's "name.namespace"; other names stay. */
export function serviceIdOfName(name: string): string {
  const parts = /^([^./]+)\.([^./]+)$/.exec(name);
  return parts ? `${parts[2]}/${parts[1]}` : name;
}

export function serviceEntity({ service, resource }: Span): EntityRef | null {
  return serviceEntityOf(service, textAt(resource, ...namespaceKeys));
}

/** Of the service that is named so; `told` is the namespace that its resource tells. */
export function serviceEntityOf(service: string, told: string | undefined): EntityRef | null {
  const id = serviceId(service, told);
  if (id === undefined) return null;
  const [namespace = "", name = ""] = id.split("/");
  return { kind: "service", id, name, namespace };
}

/** Istio's and Envoy's request id, which access logs carry as well. */
export function requestIdOf(spans: readonly Span[]): string | null {
  for (const { attributes } of spans) {
    const id = textAt(attributes, ...requestIdKeys);
    if (id !== undefined) return id;
  }
  return null;
}

const outboundCluster = /^outbound\|\d+\|([^|]*)\|([^.|]+)\.([^.|]+)/;

/** The service that a call was for, by Istio's cluster name ("outbound|80|v1|users.shop.svc.cluster.local"); null for others. */
export function calledServiceOf(cluster: string): EntityRef | null {
  const [, , name, namespace] = outboundCluster.exec(cluster) ?? [];
  if (name === undefined || namespace === undefined) return null;
  return { kind: "service", id: `${namespace}/${name}`, name, namespace };
}
