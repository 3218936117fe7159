/**
 * Objects → target groups, one function per role. Source: Prometheus
 * discovery/kubernetes/{pod,service,node,endpoints,endpointslice,ingress}.go.
 */
import type { TargetGroup } from "../scrape/target.ts";
import {
  containersOf,
  joinHostPort,
  listOf,
  type Meta,
  namespaceMeta,
  objectMeta,
  podMeta,
  recordOf,
  textOf,
} from "./meta-labels.ts";
import { type KubeObject, keyOf } from "./reflector.ts";

const prefix = "__meta_kubernetes_";

/** What a role's targets are joined with. */
export interface Related {
  readonly pods: ReadonlyMap<string, KubeObject>;
  readonly services: ReadonlyMap<string, KubeObject>;
  /** Empty unless asked for with `attach_metadata`. */
  readonly nodes: ReadonlyMap<string, KubeObject>;
}

/** What a pod's targets say of its node. */
function nodeMeta(pod: KubeObject, { nodes }: Related): Meta {
  const node = nodes.get(textOf(recordOf(pod["spec"])["nodeName"]));
  return node ? objectMeta("node", node) : {};
}

/** One target per container port; a container without ports gives one without a port. */
export function podTargets(pod: KubeObject, related: Related): TargetGroup {
  const source = `pod/${keyOf(pod)}`;
  const ip = textOf(recordOf(pod["status"])["podIP"]);
  if (ip === "") return { source, labels: {}, targets: [] };
  const targets = containersOf(pod).flatMap(({ meta, ports }) =>
    ports.length === 0
      ? [{ ...meta, __address__: ip.includes(":") ? `[${ip}]` : ip }]
      : ports.map((port) => ({
          ...meta,
          ...port.meta,
          __address__: joinHostPort(ip, port.number),
        })),
  );
  return {
    source,
    labels: { ...namespaceMeta(pod), ...podMeta(pod), ...nodeMeta(pod, related) },
    targets,
  };
}

function serviceMeta(service: KubeObject): Meta {
  return objectMeta("service", service);
}

export function serviceTargets(service: KubeObject): TargetGroup {
  const spec = recordOf(service["spec"]);
  const type = textOf(spec["type"]) || "ClusterIP";
  const host = `${service.metadata.name}.${service.metadata.namespace ?? ""}.svc`;
  const own: Meta =
    type === "ExternalName"
      ? { [`${prefix}service_external_name`]: textOf(spec["externalName"]) }
      : { [`${prefix}service_cluster_ip`]: textOf(spec["clusterIP"]) };
  if (type === "LoadBalancer")
    own[`${prefix}service_loadbalancer_ip`] = textOf(spec["loadBalancerIP"]);
  const targets = listOf(spec["ports"]).map((port) => ({
    ...own,
    __address__: joinHostPort(host, String(port["port"])),
    [`${prefix}service_port_name`]: textOf(port["name"]),
    [`${prefix}service_port_number`]: String(port["port"]),
    [`${prefix}service_port_protocol`]: textOf(port["protocol"]) || "TCP",
    [`${prefix}service_type`]: type,
  }));
  const labels = { ...namespaceMeta(service), ...serviceMeta(service) };
  return { source: `svc/${keyOf(service)}`, labels, targets };
}

const addressOrder = [
  "InternalIP",
  "InternalDNS",
  "ExternalIP",
  "ExternalDNS",
  "LegacyHostIP",
  "Hostname",
];

export function nodeTargets(node: KubeObject): TargetGroup {
  const source = `node/${keyOf(node)}`;
  const status = recordOf(node["status"]);
  const addresses = listOf(status["addresses"]);
  const address = addressOrder
    .map((type) => addresses.find((each) => each["type"] === type))
    .find((each) => each !== undefined);
  if (!address) return { source, labels: {}, targets: [] };
  const endpoints = recordOf(status["daemonEndpoints"]);
  const port = Number(recordOf(endpoints["kubeletEndpoint"])["Port"] ?? 10_250);
  const labels: Meta = {
    ...objectMeta("node", node),
    [`${prefix}node_provider_id`]: textOf(recordOf(node["spec"])["providerID"]),
  };
  const target: Meta = {
    __address__: joinHostPort(textOf(address["address"]), port),
    instance: node.metadata.name,
  };
  for (const each of addresses) {
    const name = `${prefix}node_address_${textOf(each["type"])}`;
    target[name] ??= textOf(each["address"]);
  }
  return { source, labels, targets: [target] };
}

/** Targets of a service's addresses, then the other container ports of the pods behind them. */
class PodBacked {
  readonly targets: Meta[] = [];
  readonly #related: Related;
  readonly #seen = new Map<string, { pod: KubeObject; ports: Set<number> }>();

  constructor(related: Related) {
    this.#related = related;
  }

  add(namespace: string, address: string, port: number, meta: Meta, target: unknown): void {
    const labels: Meta = { ...meta, __address__: joinHostPort(address, port) };
    const reference = recordOf(target);
    const isPod = reference["kind"] === "Pod";
    const name = textOf(reference["name"]);
    const pod = isPod
      ? this.#related.pods.get(`${textOf(reference["namespace"]) || namespace}/${name}`)
      : undefined;
    if (!pod) {
      this.targets.push(labels);
      return;
    }
    const seen = this.#seen.get(keyOf(pod)) ?? { pod, ports: new Set<number>() };
    seen.ports.add(port);
    this.#seen.set(keyOf(pod), seen);
    Object.assign(labels, podMeta(pod), nodeMeta(pod, this.#related));
    for (const container of containersOf(pod)) {
      const matching = container.ports.find(({ number }) => number === port);
      if (matching) Object.assign(labels, container.meta, matching.meta);
    }
    this.targets.push(labels);
  }

  addOtherPorts(): void {
    for (const { pod, ports } of this.#seen.values()) {
      const ip = textOf(recordOf(pod["status"])["podIP"]);
      if (ip === "") continue;
      for (const container of containersOf(pod))
        for (const port of container.ports) {
          if (ports.has(port.number)) continue;
          const address = { __address__: joinHostPort(ip, port.number) };
          this.targets.push({
            ...podMeta(pod),
            ...nodeMeta(pod, this.#related),
            ...container.meta,
            ...port.meta,
            ...address,
          });
        }
    }
  }
}

function targetReference(kind: string, target: unknown): Meta {
  const reference = recordOf(target);
  if (textOf(reference["kind"]) === "") return {};
  return {
    [`${prefix}${kind}_address_target_kind`]: textOf(reference["kind"]),
    [`${prefix}${kind}_address_target_name`]: textOf(reference["name"]),
  };
}

export function endpointsTargets(endpoints: KubeObject, related: Related): TargetGroup {
  const backed = new PodBacked(related);
  const namespace = endpoints.metadata.namespace ?? "";
  for (const subset of listOf(endpoints["subsets"]))
    for (const port of listOf(subset["ports"])) {
      const states = [
        ["addresses", "true"],
        ["notReadyAddresses", "false"],
      ] as const;
      for (const [field, ready] of states)
        for (const address of listOf(subset[field])) {
          const meta: Meta = {
            [`${prefix}endpoint_port_name`]: textOf(port["name"]),
            [`${prefix}endpoint_port_protocol`]: textOf(port["protocol"]) || "TCP",
            [`${prefix}endpoint_ready`]: ready,
            ...targetReference("endpoint", address["targetRef"]),
          };
          if (address["hostname"]) meta[`${prefix}endpoint_hostname`] = textOf(address["hostname"]);
          if (address["nodeName"])
            meta[`${prefix}endpoint_node_name`] = textOf(address["nodeName"]);
          const ip = textOf(address["ip"]);
          backed.add(namespace, ip, Number(port["port"]), meta, address["targetRef"]);
        }
    }
  backed.addOtherPorts();
  const service = related.services.get(keyOf(endpoints));
  const labels = {
    ...namespaceMeta(endpoints),
    ...objectMeta("endpoints", endpoints),
    ...(service ? serviceMeta(service) : {}),
  };
  return { source: `endpoints/${keyOf(endpoints)}`, labels, targets: backed.targets };
}

export function endpointSliceTargets(slice: KubeObject, related: Related): TargetGroup {
  const backed = new PodBacked(related);
  const namespace = slice.metadata.namespace ?? "";
  for (const port of listOf(slice["ports"]))
    for (const endpoint of listOf(slice["endpoints"])) {
      const addresses = Array.isArray(endpoint["addresses"]) ? endpoint["addresses"] : [];
      for (const address of addresses) {
        const meta = endpointMeta(slice, port, endpoint);
        backed.add(namespace, textOf(address), Number(port["port"]), meta, endpoint["targetRef"]);
      }
    }
  backed.addOtherPorts();
  const serviceName = slice.metadata.labels?.["kubernetes.io/service-name"] ?? "";
  const service = related.services.get(`${namespace}/${serviceName}`);
  const labels = {
    ...namespaceMeta(slice),
    ...objectMeta("endpointslice", slice),
    [`${prefix}endpointslice_address_type`]: textOf(slice["addressType"]),
    ...(service ? serviceMeta(service) : {}),
  };
  return { source: `endpointslice/${keyOf(slice)}`, labels, targets: backed.targets };
}

function endpointMeta(
  slice: KubeObject,
  port: Record<string, unknown>,
  endpoint: Record<string, unknown>,
): Meta {
  const kind = "endpointslice";
  const meta: Meta = {
    [`${prefix}${kind}_port`]: String(port["port"]),
    [`${prefix}${kind}_port_name`]: textOf(port["name"]),
    [`${prefix}${kind}_port_protocol`]: textOf(port["protocol"]) || "TCP",
    [`${prefix}${kind}_address_type`]: textOf(slice["addressType"]),
    ...targetReference(kind, endpoint["targetRef"]),
  };
  if (port["appProtocol"]) meta[`${prefix}${kind}_port_app_protocol`] = textOf(port["appProtocol"]);
  const conditions = recordOf(endpoint["conditions"]);
  for (const condition of ["ready", "serving", "terminating"])
    if (typeof conditions[condition] === "boolean")
      meta[`${prefix}${kind}_endpoint_conditions_${condition}`] = String(conditions[condition]);
  const optional = { hostname: "hostname", nodeName: "node_name", zone: "zone" };
  for (const [field, name] of Object.entries(optional))
    if (endpoint[field]) meta[`${prefix}${kind}_endpoint_${name}`] = textOf(endpoint[field]);
  return meta;
}

/** One target per path of each rule. */
export function ingressTargets(ingress: KubeObject): TargetGroup {
  const spec = recordOf(ingress["spec"]);
  const secured = listOf(spec["tls"]).flatMap(({ hosts }) => (Array.isArray(hosts) ? hosts : []));
  const targets = listOf(spec["rules"]).flatMap((rule) => {
    const host = textOf(rule["host"]);
    const paths = listOf(recordOf(rule["http"])["paths"]).map(({ path }) => textOf(path) || "/");
    const scheme = secured.some((pattern) => matchesHost(textOf(pattern), host)) ? "https" : "http";
    return (paths.length > 0 ? paths : ["/"]).map((path) => ({
      __address__: host,
      [`${prefix}ingress_scheme`]: scheme,
      [`${prefix}ingress_host`]: host,
      [`${prefix}ingress_path`]: path,
    }));
  });
  const labels: Meta = { ...namespaceMeta(ingress), ...objectMeta("ingress", ingress) };
  const className = textOf(spec["ingressClassName"]);
  if (className !== "") labels[`${prefix}ingress_class_name`] = className;
  return { source: `ingress/${keyOf(ingress)}`, labels, targets };
}

/** `*.a.b` matches one more name before `.a.b`. */
function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const dot = host.indexOf(".");
  return pattern.startsWith("*.") && dot > 0 && pattern.slice(1) === host.slice(dot);
}
