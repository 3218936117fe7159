/** Which service of the mesh a span belongs to. */
import type { EntityRef } from "@skopos/api";
import type { Span } from "@skopos/model";

function textAt(attributes: Span["resource"], ...keys: string[]): string | undefined {
  for (const key of keys) {
    const value = attributes[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

const namespaceKeys = ["k8s.namespace.name", "service.namespace"];
const requestIdKeys = ["guid:x-request-id", "http.request.header.x-request-id"];
/** All attributes that are read here. */
export const entityAttributes: readonly string[] = [...namespaceKeys, ...requestIdKeys];

/**
 * "namespace/name": of a sidecar from "name.namespace", which Istio makes its service name, of an application from
 * OpenTelemetry's resource attributes. Undefined when no namespace is told.
 */
export function serviceIdOf(span: Span): string | undefined {
  const dot = span.service.lastIndexOf(".");
  if (dot > 0) return `${span.service.slice(dot + 1)}/${span.service.slice(0, dot)}`;
  const namespace = textAt(span.resource, ...namespaceKeys);
  return namespace === undefined ? undefined : `${namespace}/${span.service}`;
}

/** "namespace/name" of Istio's "name.namespace"; other names stay. */
export function serviceIdOfName(name: string): string {
  const parts = /^([^./]+)\.([^./]+)$/.exec(name);
  return parts ? `${parts[2]}/${parts[1]}` : name;
}

export function serviceEntity(span: Span): EntityRef | null {
  const id = serviceIdOf(span);
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
