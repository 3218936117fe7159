/** `__meta_kubernetes_*` labels. Source: Prometheus configuration, `kubernetes_sd_config`; discovery/kubernetes/*.go. */
import { isRecord, type KubeObject } from "./reflector.ts";

export type Meta = Record<string, string>;

const prefix = "__meta_kubernetes_";

/** As Prometheus' SanitizeLabelName: everything but ASCII letters, digits and _ becomes _. */
export function sanitize(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

export function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((item) => isRecord(item)) : [];
}

/** Name, labels and annotations of an object, as every role has them. */
export function objectMeta(kind: string, object: KubeObject): Meta {
  const { name, labels = {}, annotations = {} } = object.metadata;
  const meta: Meta = { [`${prefix}${kind}_name`]: name };
  for (const [key, value] of Object.entries(labels)) {
    meta[`${prefix}${kind}_label_${sanitize(key)}`] = value;
    meta[`${prefix}${kind}_labelpresent_${sanitize(key)}`] = "true";
  }
  for (const [key, value] of Object.entries(annotations)) {
    meta[`${prefix}${kind}_annotation_${sanitize(key)}`] = value;
    meta[`${prefix}${kind}_annotationpresent_${sanitize(key)}`] = "true";
  }
  return meta;
}

export function namespaceMeta(object: KubeObject): Meta {
  return { [`${prefix}namespace`]: object.metadata.namespace ?? "" };
}

/** Labels of the pod itself, without those of a container. */
export function podMeta(pod: KubeObject): Meta {
  const status = recordOf(pod["status"]);
  const spec = recordOf(pod["spec"]);
  const ready = listOf(status["conditions"]).find((condition) => condition["type"] === "Ready");
  const meta: Meta = {
    ...objectMeta("pod", pod),
    [`${prefix}pod_ip`]: textOf(status["podIP"]),
    [`${prefix}pod_ready`]: (textOf(ready?.["status"]) || "unknown").toLowerCase(),
    [`${prefix}pod_phase`]: textOf(status["phase"]),
    [`${prefix}pod_node_name`]: textOf(spec["nodeName"]),
    [`${prefix}pod_host_ip`]: textOf(status["hostIP"]),
    [`${prefix}pod_uid`]: pod.metadata.uid ?? "",
  };
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner?.kind) meta[`${prefix}pod_controller_kind`] = owner.kind;
  if (owner?.name) meta[`${prefix}pod_controller_name`] = owner.name;
  return meta;
}

export interface Container {
  readonly meta: Meta;
  readonly ports: readonly { readonly meta: Meta; readonly number: number }[];
}

/** A pod's containers, init containers last, as Prometheus lists them. */
export function containersOf(pod: KubeObject): Container[] {
  const spec = recordOf(pod["spec"]);
  const status = recordOf(pod["status"]);
  const statuses = [
    ...listOf(status["containerStatuses"]),
    ...listOf(status["initContainerStatuses"]),
  ];
  const read = (init: boolean) => (container: Record<string, unknown>) => {
    const name = textOf(container["name"]);
    const state = statuses.find((each) => each["name"] === name);
    return {
      meta: {
        [`${prefix}pod_container_name`]: name,
        [`${prefix}pod_container_id`]: textOf(state?.["containerID"]),
        [`${prefix}pod_container_image`]: textOf(container["image"]),
        [`${prefix}pod_container_init`]: String(init),
      },
      ports: listOf(container["ports"]).map((port) => ({
        number: Number(port["containerPort"]),
        meta: {
          [`${prefix}pod_container_port_name`]: textOf(port["name"]),
          [`${prefix}pod_container_port_number`]: String(port["containerPort"]),
          [`${prefix}pod_container_port_protocol`]: textOf(port["protocol"]) || "TCP",
        },
      })),
    };
  };
  return [
    ...listOf(spec["containers"]).map(read(false)),
    ...listOf(spec["initContainers"]).map(read(true)),
  ];
}

/** `host:port`, with brackets around IPv6. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
