import { type Json, listAt, mapAt, numberAt, stringAt, textOf, valueAt } from "../json.ts";
import type { KubeObject } from "../object.ts";
import { ageColumn, at, type Column, column, mapText, nameColumn, since, wide } from "./columns.ts";

/** Nodes, namespaces, services and their endpoints, configuration, events. */
function servicePorts(service: KubeObject): string {
  const parts = listAt(service, "spec", "ports").map((port) => {
    const nodePort = numberAt(port, "nodePort") ?? 0;
    const number = numberAt(port, "port") ?? 0;
    const both = nodePort > 0 ? `${number}:${nodePort}` : String(number);
    return `${both}/${stringAt(port, "protocol") ?? "TCP"}`;
  });
  return parts.length === 0 ? "<none>" : parts.join(",");
}

function externalAddress(service: KubeObject): string {
  const fixed = listAt(service, "spec", "externalIPs").map(textOf);
  const type = stringAt(service, "spec", "type");
  if (type === "ExternalName") return stringAt(service, "spec", "externalName") ?? "<none>";
  if (type !== "LoadBalancer") return fixed.length === 0 ? "<none>" : fixed.join(",");
  const balanced = listAt(service, "status", "loadBalancer", "ingress").map(
    (each) => stringAt(each, "ip") ?? stringAt(each, "hostname") ?? "",
  );
  const all = [...balanced, ...fixed];
  return all.length === 0 ? "<pending>" : all.join(",");
}

export const serviceColumns: readonly Column[] = [
  nameColumn,
  column("Type", at("spec", "type")),
  column("Cluster-IP", (service) => stringAt(service, "spec", "clusterIP") ?? "<none>"),
  column("External-IP", externalAddress),
  column("Port(s)", servicePorts),
  ageColumn,
  wide("Selector", (service) => mapText(mapAt(service, "spec", "selector"))),
];

/** At most three of a list, then how many more there are. */
function firstThree(texts: readonly string[], none: string): string {
  if (texts.length === 0) return none;
  const more = texts.length - 3;
  return texts.slice(0, 3).join(",") + (more > 0 ? ` + ${more} more...` : "");
}

function endpointAddresses(endpoints: KubeObject): string {
  const texts = listAt(endpoints, "subsets").flatMap((subset) => {
    const ports = listAt(subset, "ports");
    const ips = listAt(subset, "addresses").map((each) => stringAt(each, "ip") ?? "");
    if (ports.length === 0) return ips;
    return ports.flatMap((port) => ips.map((ip) => `${ip}:${numberAt(port, "port") ?? 0}`));
  });
  return firstThree(texts, "<none>");
}

export const endpointsColumns: readonly Column[] = [
  nameColumn,
  column("Endpoints", endpointAddresses),
  ageColumn,
];

export const endpointSliceColumns: readonly Column[] = [
  nameColumn,
  column("AddressType", at("addressType")),
  column("Ports", (slice) =>
    firstThree(
      listAt(slice, "ports").map((port) => textOf(valueAt(port, "port"))),
      "<unset>",
    ),
  ),
  column("Endpoints", (slice) =>
    firstThree(
      listAt(slice, "endpoints").flatMap((each) => listAt(each, "addresses").map(textOf)),
      "<unset>",
    ),
  ),
  ageColumn,
];

function nodeStatus(node: KubeObject): string {
  const ready = listAt(node, "status", "conditions").find(
    (each) => stringAt(each, "type") === "Ready",
  );
  const states = [
    ready === undefined ? "Unknown" : stringAt(ready, "status") === "True" ? "Ready" : "NotReady",
  ];
  if (valueAt(node, "spec", "unschedulable") === true) states.push("SchedulingDisabled");
  return states.join(",");
}

function nodeRoles(node: KubeObject): string {
  const prefix = "node-role.kubernetes.io/";
  const roles = Object.keys(node.metadata.labels ?? {})
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  return roles.length === 0 ? "<none>" : roles.sort().join(",");
}

const nodeAddress = (type: string) => (node: KubeObject) =>
  stringAt(
    listAt(node, "status", "addresses").find((each) => stringAt(each, "type") === type),
    "address",
  ) ?? "<none>";

const nodeInfo = (name: string) => (node: KubeObject) =>
  textOf(valueAt(node, "status", "nodeInfo", name)) || "<unknown>";

export const nodeColumns: readonly Column[] = [
  nameColumn,
  column("Status", nodeStatus),
  column("Roles", nodeRoles),
  ageColumn,
  column("Version", nodeInfo("kubeletVersion")),
  wide("Internal-IP", nodeAddress("InternalIP")),
  wide("External-IP", nodeAddress("ExternalIP")),
  wide("OS-Image", nodeInfo("osImage")),
  wide("Kernel-Version", nodeInfo("kernelVersion")),
  wide("Container-Runtime", nodeInfo("containerRuntimeVersion")),
];

export const namespaceColumns: readonly Column[] = [
  nameColumn,
  column("Status", at("status", "phase")),
  ageColumn,
];

const entries = (object: KubeObject): Json =>
  Object.keys(mapAt(object, "data")).length + Object.keys(mapAt(object, "binaryData")).length;

export const configMapColumns: readonly Column[] = [nameColumn, column("Data", entries), ageColumn];

export const secretColumns: readonly Column[] = [
  nameColumn,
  column("Type", at("type")),
  column("Data", entries, "integer"),
  ageColumn,
];

export const serviceAccountColumns: readonly Column[] = [
  nameColumn,
  column("Secrets", (account) => listAt(account, "secrets").length, "integer"),
  ageColumn,
];

export const leaseColumns: readonly Column[] = [
  nameColumn,
  column("Holder", at("spec", "holderIdentity")),
  ageColumn,
];

const lastSeen = (event: KubeObject) =>
  stringAt(event, "series", "lastObservedTime") ??
  stringAt(event, "lastTimestamp") ??
  stringAt(event, "eventTime") ??
  event.metadata.creationTimestamp;

function eventSource(event: KubeObject): string {
  const component =
    stringAt(event, "source", "component") ?? stringAt(event, "reportingComponent") ?? "";
  const host = stringAt(event, "source", "host") ?? "";
  return host === "" ? component : `${component}, ${host}`;
}

export const eventColumns: readonly Column[] = [
  column("Last Seen", (event, nowMs) => since(lastSeen(event), nowMs)),
  column("Type", at("type")),
  column("Reason", at("reason")),
  column("Object", (event) => {
    const kind = (stringAt(event, "involvedObject", "kind") ?? "").toLowerCase();
    const name = stringAt(event, "involvedObject", "name") ?? "";
    return name === "" ? kind : `${kind}/${name}`;
  }),
  wide("Subobject", at("involvedObject", "fieldPath")),
  wide("Source", eventSource),
  column("Message", (event) => (stringAt(event, "message") ?? "").trim()),
  wide("First Seen", (event, nowMs) =>
    since(stringAt(event, "firstTimestamp") ?? event.metadata.creationTimestamp, nowMs),
  ),
  wide("Count", (event) => String(numberAt(event, "count") ?? 1)),
  wide("Name", (event) => event.metadata.name),
];
