/** Computes what a proxy is told from the cluster's objects: one snapshot of the mesh, then one configuration per pod. */
import { listAt, mapAt } from "../kube/json.ts";
import type { KubeObject, Pod } from "../kube/object.ts";
import type { KubeStore } from "../kube/store.ts";
import type {
  ClusterConfig,
  EndpointConfig,
  InboundPort,
  ProxyConfig,
  RouteConfig,
  VirtualHostConfig,
  WorkloadIdentity,
} from "../proxy/config.ts";
import { serverTlsMode } from "./mutual-tls.ts";
import {
  applicationPorts,
  isGateway,
  readServices,
  type RegistryPort,
  type RegistryService,
  resolveHost,
  selects,
  targetPortIn,
  type Workload,
  workloadOf,
} from "./registry.ts";
import { rulesFor, type Subset, subsetsOf, trafficPolicy } from "./traffic-policy.ts";
import { clusterName, defaultRoute, destinations, httpRoutes } from "./virtual-service.ts";

export interface MeshOptions {
  readonly outboundPolicy: "ALLOW_ANY" | "REGISTRY_ONLY";
  readonly traceSampling: number;
  /** Where the port of a pod is really reached, where that differs from the port itself. */
  reachedPort(pod: Pod, port: number): number;
}

/** Everything the configurations of one push share. */
export interface MeshSnapshot {
  readonly services: ReadonlyMap<string, RegistryService>;
  readonly workloads: readonly Workload[];
  readonly virtualServices: readonly KubeObject[];
  readonly gateways: readonly KubeObject[];
  readonly peerAuthentications: readonly KubeObject[];
  readonly clusters: readonly ClusterConfig[];
  readonly options: MeshOptions;
}

/** Objects by age, then name: the order in which Istio lets them win. */
function oldestFirst(objects: readonly KubeObject[]): KubeObject[] {
  return objects.toSorted((a, b) => (ageKey(a) < ageKey(b) ? -1 : 1));
}

function ageKey({ metadata }: KubeObject): string {
  return `${metadata.creationTimestamp} ${metadata.namespace} ${metadata.name}`;
}

export function takeSnapshot(store: KubeStore, options: MeshOptions): MeshSnapshot {
  const services = new Map(readServices(store).map((service) => [service.host, service]));
  const workloads = store
    .list("Pod")
    .filter((pod) => pod.status.podIP !== undefined)
    .map(workloadOf);
  const peerAuthentications = oldestFirst(store.list("PeerAuthentication"));
  const destinationRules = oldestFirst(store.list("DestinationRule"));
  const clusters = [...services.values()].flatMap((service) =>
    clustersOf(service, workloads, destinationRules, peerAuthentications, options),
  );
  return {
    services,
    workloads,
    virtualServices: oldestFirst(store.list("VirtualService")),
    gateways: oldestFirst(store.list("Gateway")),
    peerAuthentications,
    clusters,
    options,
  };
}

function clustersOf(
  service: RegistryService,
  workloads: readonly Workload[],
  destinationRules: readonly KubeObject[],
  peerAuthentications: readonly KubeObject[],
  options: MeshOptions,
): ClusterConfig[] {
  const rules = rulesFor(destinationRules, service.host);
  const choices: (Subset | undefined)[] = [undefined, ...subsetsOf(rules)];
  const members = workloads.filter(
    (workload) =>
      workload.ready &&
      workload.identity.namespace === service.namespace &&
      selects(service.selector, workload.labels),
  );
  return service.ports.flatMap((port) =>
    choices.map((subset) => {
      const policy = trafficPolicy(rules[0], subset, port.port);
      const endpoints = members
        .filter((workload) => subset === undefined || selects(subset.labels, workload.labels))
        .flatMap((workload) => endpointOf(workload, port, peerAuthentications, options));
      return {
        name: clusterName(port.port, subset?.name ?? "", service.host),
        service: { host: service.host, name: service.name, namespace: service.namespace },
        protocol: port.protocol,
        endpoints,
        tls: policy.tls,
        limits: policy.limits,
        ...(policy.outlier === undefined ? {} : { outlier: policy.outlier }),
        loadBalancing: policy.loadBalancing,
      };
    }),
  );
}

function endpointOf(
  workload: Workload,
  port: RegistryPort,
  peerAuthentications: readonly KubeObject[],
  options: MeshOptions,
): EndpointConfig[] {
  const target = targetPortIn(workload.pod, port.targetPort);
  if (target === undefined) return [];
  const mode = serverTlsMode(peerAuthentications, workload, target);
  return [
    {
      address: workload.address,
      port: options.reachedPort(workload.pod, target),
      identity: workload.identity,
      mutualTls: mode !== "DISABLE" && !isGateway(workload),
    },
  ];
}

/** The configuration of the proxy in `pod`; `version` names the push. */
export function proxyConfig(snapshot: MeshSnapshot, pod: Pod, version: string): ProxyConfig {
  const workload = workloadOf(pod);
  const gateway = isGateway(workload);
  const inbound = gateway ? [] : inboundPorts(snapshot, workload);
  const takesTcp = inbound.some((port) => port.protocol === "tcp");
  return {
    version,
    clusters: snapshot.clusters,
    virtualHosts: gateway ? gatewayHosts(snapshot, workload) : meshHosts(snapshot, workload),
    tcpRoutes: gateway ? {} : tcpRoutes(snapshot, workload),
    inbound,
    outboundPolicy: snapshot.options.outboundPolicy,
    peers: takesTcp ? peersOf(snapshot) : {},
    traceSampling: snapshot.options.traceSampling,
  };
}

function peersOf(snapshot: MeshSnapshot): Record<string, WorkloadIdentity> {
  return Object.fromEntries(
    snapshot.workloads.map((workload) => [workload.address, workload.identity]),
  );
}

function inboundPorts(snapshot: MeshSnapshot, workload: Workload): InboundPort[] {
  return applicationPorts(workload.pod).map((port) => {
    const found = serviceAt(snapshot, workload, port);
    const mutualTls = serverTlsMode(snapshot.peerAuthentications, workload, port);
    if (found === undefined) return { port, protocol: "http", mutualTls };
    const { host, name, namespace } = found.service;
    const { port: servicePort, protocol } = found.port;
    return { port, protocol, mutualTls, service: { host, name, namespace, port: servicePort } };
  });
}

function serviceAt(snapshot: MeshSnapshot, workload: Workload, target: number) {
  for (const service of snapshot.services.values()) {
    if (service.namespace !== workload.identity.namespace) continue;
    if (!selects(service.selector, workload.labels)) continue;
    const port = service.ports.find(
      (each) => targetPortIn(workload.pod, each.targetPort) === target,
    );
    if (port !== undefined) return { service, port };
  }
  return undefined;
}

/** Every name under which a client in `namespace` may call the service. */
function domainsOf(host: string, namespace: string, port: number): string[] {
  const match = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/.exec(host);
  if (match === null) return [`${host}:${port}`];
  const [, name = "", own = ""] = match;
  const names = [host, `${name}.${own}.svc`, `${name}.${own}`];
  if (own === namespace) names.push(name);
  return names.map((each) => `${each}:${port}`);
}

function meshHosts(snapshot: MeshSnapshot, workload: Workload): VirtualHostConfig[] {
  const { namespace } = workload.identity;
  const ruled = snapshot.virtualServices.filter((object) => bindsTo(object, "mesh"));
  const hosts: VirtualHostConfig[] = [];
  for (const service of snapshot.services.values()) {
    const rule = ruled.find((object) => hostsOf(object).includes(service.host));
    for (const port of service.ports) {
      if (port.protocol !== "http") continue;
      const context = { services: snapshot.services, port: port.port };
      const ruledRoutes = rule === undefined ? [] : httpRoutes(rule, context);
      const routes: RouteConfig[] =
        ruledRoutes.length > 0
          ? ruledRoutes
          : [defaultRoute(clusterName(port.port, "", service.host))];
      const domains = domainsOf(service.host, namespace, port.port);
      hosts.push({ name: `${service.host}:${port.port}`, domains, routes });
    }
  }
  return [...hosts, ...foreignHosts(snapshot, ruled)];
}

/** VirtualServices for hosts that are no service of the cluster. */
function foreignHosts(snapshot: MeshSnapshot, ruled: readonly KubeObject[]): VirtualHostConfig[] {
  return ruled.flatMap((object) =>
    hostsOf(object)
      .filter((host) => !snapshot.services.has(host) && host !== "*")
      .map((host) => ({
        name: `${host}:80`,
        domains: [`${host}:80`],
        routes: httpRoutes(object, { services: snapshot.services, port: 80 }),
      })),
  );
}

function tcpRoutes(snapshot: MeshSnapshot, workload: Workload): ProxyConfig["tcpRoutes"] {
  const { namespace } = workload.identity;
  const routes: Record<string, { name: string; weight: number }[]> = {};
  for (const service of snapshot.services.values()) {
    const rule = snapshot.virtualServices.find(
      (object) => bindsTo(object, "mesh") && hostsOf(object).includes(service.host),
    );
    for (const port of service.ports) {
      if (port.protocol !== "tcp") continue;
      const context = { services: snapshot.services, port: port.port };
      const ruled = listAt(rule, "spec", "tcp").flatMap((route) =>
        destinations(listAt(route, "route"), rule?.metadata.namespace ?? "default", context),
      );
      const choices =
        ruled.length > 0 ? ruled : [{ name: clusterName(port.port, "", service.host), weight: 1 }];
      for (const domain of domainsOf(service.host, namespace, port.port)) routes[domain] = choices;
    }
  }
  return routes;
}

function hostsOf(object: KubeObject): string[] {
  return listAt(object, "spec", "hosts").flatMap((host) =>
    typeof host === "string" ? [resolveHost(host, object.metadata.namespace ?? "default")] : [],
  );
}

function bindsTo(object: KubeObject, gateway: string): boolean {
  const names = listAt(object, "spec", "gateways");
  if (names.length === 0) return gateway === "mesh";
  const own = object.metadata.namespace ?? "default";
  return names.some(
    (name) =>
      name === gateway ||
      (typeof name === "string" && !name.includes("/") && `${own}/${name}` === gateway),
  );
}

function gatewayHosts(snapshot: MeshSnapshot, workload: Workload): VirtualHostConfig[] {
  const hosts: VirtualHostConfig[] = [];
  for (const gateway of snapshot.gateways) {
    if (!selects(mapAt(gateway, "spec", "selector"), workload.labels)) continue;
    const id = `${gateway.metadata.namespace}/${gateway.metadata.name}`;
    const served = listAt(gateway, "spec", "servers").flatMap((server) =>
      listAt(server, "hosts").filter((host) => typeof host === "string"),
    );
    for (const object of snapshot.virtualServices) {
      if (!bindsTo(object, id)) continue;
      const routes = httpRoutes(object, { services: snapshot.services, port: 80 });
      for (const host of listAt(object, "spec", "hosts")) {
        if (typeof host !== "string" || !served.some((pattern) => covers(pattern, host))) continue;
        hosts.push({ name: `${host}:*`, domains: gatewayDomains(snapshot, host), routes });
      }
    }
  }
  return hosts;
}

function covers(pattern: string, host: string): boolean {
  const name = pattern.includes("/") ? (pattern.split("/")[1] ?? pattern) : pattern;
  return name === "*" || name === host || (name.startsWith("*.") && host.endsWith(name.slice(1)));
}

/** The Host header's port may be the service's, the container's or none. */
function gatewayDomains(snapshot: MeshSnapshot, host: string): string[] {
  if (host === "*") return ["*"];
  const ports = new Set([80]);
  for (const workload of snapshot.workloads) {
    if (!isGateway(workload)) continue;
    for (const port of applicationPorts(workload.pod)) {
      ports.add(port).add(snapshot.options.reachedPort(workload.pod, port));
    }
  }
  return [...ports].map((port) => `${host}:${port}`);
}

export function duplicateHosts(virtualServices: readonly KubeObject[]): number {
  const seen = new Set<string>();
  let duplicates = 0;
  for (const object of virtualServices) {
    if (!bindsTo(object, "mesh")) continue;
    for (const host of hostsOf(object)) {
      if (seen.has(host)) duplicates++;
      seen.add(host);
    }
  }
  return duplicates;
}
