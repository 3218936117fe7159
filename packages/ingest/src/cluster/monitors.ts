/**
 * ServiceMonitor, PodMonitor and Probe objects (monitoring.coreos.com/v1) as scrape configs of Prometheus, with the relabelling
 * that the Prometheus operator generates. What is made here is read by `parseScrapeConfig` like any other configuration.
 * Files of this machine are not read for monitors: whoever may write one could have secrets sent anywhere.
 * Source: prometheus-operator, API reference and pkg/prometheus/promcfg.go.
 */
import { listOf, recordOf, sanitize, textOf } from "../discovery/meta-labels.ts";
import type { KubeObject } from "../discovery/reflector.ts";
import { IngestError } from "../errors.ts";
import { type Json, relabelings, settingsOf } from "./endpoint-settings.ts";
import type { Lookup } from "./references.ts";

type Rule = Json;

const meta = "__meta_kubernetes_";

/** One scrape config per endpoint. Throws "bad-config". */
export function serviceMonitorJobs(monitor: KubeObject, lookup: Lookup): Json[] {
  const spec = recordOf(monitor["spec"]);
  const { name, namespace = "" } = monitor.metadata;
  return listOf(spec["endpoints"]).map((endpoint, i) => {
    const port = textOf(endpoint["port"]);
    const targetPort = portOf(endpoint["targetPort"]);
    const endpointName = port || targetPort;
    return {
      job_name: `serviceMonitor/${namespace}/${name}/${i}`,
      ...settingsOf(spec, endpoint, lookup),
      kubernetes_sd_configs: [discovery("endpoints", spec, namespace)],
      relabel_configs: [
        ...selected("service", recordOf(spec["selector"])),
        ...(port === "" ? targetPortRules(targetPort) : [keep("endpoint_port_name", port)]),
        ...["Node", "Pod"].map((kind) => ({
          source_labels: [
            `${meta}endpoint_address_target_kind`,
            `${meta}endpoint_address_target_name`,
          ],
          regex: `${kind};(.*)`,
          target_label: kind.toLowerCase(),
        })),
        ...copied({ namespace: "namespace", service_name: "service" }),
        ...copied({ pod_name: "pod", pod_container_name: "container" }),
        ...dropEnded(endpoint),
        ...labelsCopied("service", spec["targetLabels"]),
        ...labelsCopied("pod", spec["podTargetLabels"]),
        ...copied({ service_name: "job" }),
        ...jobLabel("service", textOf(spec["jobLabel"])),
        ...(endpointName === "" ? [] : [{ target_label: "endpoint", replacement: endpointName }]),
        ...relabelings(endpoint["relabelings"]),
      ],
    };
  });
}

/** One scrape config per endpoint. Throws "bad-config". */
export function podMonitorJobs(monitor: KubeObject, lookup: Lookup): Json[] {
  const spec = recordOf(monitor["spec"]);
  const { name, namespace = "" } = monitor.metadata;
  return listOf(spec["podMetricsEndpoints"]).map((endpoint, i) => {
    const port = textOf(endpoint["port"]);
    const other = portOf(endpoint["portNumber"] ?? endpoint["targetPort"]);
    const endpointName = port || other;
    return {
      job_name: `podMonitor/${namespace}/${name}/${i}`,
      ...settingsOf(spec, endpoint, lookup),
      kubernetes_sd_configs: [discovery("pod", spec, namespace)],
      relabel_configs: [
        ...dropEnded(endpoint),
        ...selected("pod", recordOf(spec["selector"])),
        ...(port === "" ? targetPortRules(other) : [keep("pod_container_port_name", port)]),
        ...copied({ namespace: "namespace", pod_container_name: "container", pod_name: "pod" }),
        ...labelsCopied("pod", spec["podTargetLabels"]),
        { target_label: "job", replacement: `${namespace}/${name}` },
        ...jobLabel("pod", textOf(spec["jobLabel"])),
        ...(endpointName === "" ? [] : [{ target_label: "endpoint", replacement: endpointName }]),
        ...relabelings(endpoint["relabelings"]),
      ],
    };
  });
}

/** A probe of static targets through its prober. Throws "bad-config". */
export function probeJobs(probe: KubeObject, lookup: Lookup): Json[] {
  const spec = recordOf(probe["spec"]);
  const { name, namespace = "" } = probe.metadata;
  const prober = recordOf(spec["prober"]);
  const given = recordOf(recordOf(spec["targets"])["staticConfig"]);
  const targets = Array.isArray(given["static"]) ? given["static"] : [];
  if (targets.length === 0)
    throw new IngestError("bad-config", "only probes with targets.staticConfig are understood");
  const module = textOf(spec["module"]);
  const job = textOf(spec["jobName"]);
  return [
    {
      job_name: `probe/${namespace}/${name}`,
      ...settingsOf(spec, { ...spec, path: textOf(prober["path"]) || "/probe" }, lookup),
      ...(prober["scheme"] !== undefined && { scheme: prober["scheme"] }),
      ...(module !== "" && { params: { module: [module] } }),
      static_configs: [
        // Addresses of probes may be whole URLs, which static_configs refuses; the label passes them on.
        { targets: targets.map((_, i) => `probe-${i}`), labels: { namespace } },
      ],
      relabel_configs: [
        ...targets.map((target, i) => ({
          source_labels: ["__address__"],
          regex: `probe-${i}`,
          target_label: "__param_target",
          replacement: String(target).replaceAll("$", "$$$$"),
        })),
        ...Object.entries(recordOf(given["labels"])).map(([label, value]) => ({
          target_label: label,
          replacement: String(value).replaceAll("$", "$$$$"),
        })),
        ...(job === "" ? [] : [{ target_label: "job", replacement: job }]),
        { source_labels: ["__param_target"], target_label: "instance" },
        { target_label: "__address__", replacement: textOf(prober["url"]) },
        ...relabelings(given["relabelingConfigs"]),
      ],
    },
  ];
}

function discovery(role: string, spec: Json, own: string): Json {
  const { any, matchNames } = recordOf(spec["namespaceSelector"]);
  const names = Array.isArray(matchNames) && matchNames.length > 0 ? matchNames : [own];
  const node = recordOf(spec["attachMetadata"])["node"] === true;
  return {
    role,
    ...(any === true ? {} : { namespaces: { names } }),
    ...(node && { attach_metadata: { node } }),
  };
}

/** A label selector on the object's own labels. */
function selected(kind: "service" | "pod", selector: Json): Rule[] {
  const rules: Rule[] = [];
  const label = (key: string) => `${meta}${kind}_label_${sanitize(key)}`;
  const present = (key: string) => `${meta}${kind}_labelpresent_${sanitize(key)}`;
  const valued = (action: string, key: string, values: readonly string[]) => ({
    action,
    source_labels: [label(key), present(key)],
    regex: `(${values.map(escapeRegex).join("|")});true`,
  });
  for (const [key, value] of Object.entries(recordOf(selector["matchLabels"])))
    rules.push(valued("keep", key, [String(value)]));
  for (const { key: rawKey, operator, values } of listOf(selector["matchExpressions"])) {
    const key = textOf(rawKey);
    const texts = Array.isArray(values) ? values.map(String) : [];
    const exists = { source_labels: [present(key)], regex: "true" };
    if (operator === "In") rules.push(valued("keep", key, texts));
    else if (operator === "NotIn") rules.push(valued("drop", key, texts));
    else if (operator === "Exists") rules.push({ action: "keep", ...exists });
    else if (operator === "DoesNotExist") rules.push({ action: "drop", ...exists });
    else throw new IngestError("bad-config", `unknown selector operator ${textOf(operator)}`);
  }
  return rules;
}

function escapeRegex(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function keep(label: string, value: string): Rule {
  return { action: "keep", source_labels: [meta + label], regex: escapeRegex(value) };
}

/** A port's name or number. */
function portOf(value: unknown): string {
  return typeof value === "number" ? String(value) : textOf(value);
}

function targetPortRules(port: string): Rule[] {
  if (port === "") return [];
  return [keep(`pod_container_port_${/^\d+$/.test(port) ? "number" : "name"}`, port)];
}

/** Meta labels under the names that they get. */
function copied(labels: Readonly<Record<string, string>>): Rule[] {
  return Object.entries(labels).map(([from, to]) => ({
    source_labels: [meta + from],
    target_label: to,
  }));
}

function labelsCopied(kind: "service" | "pod", names: unknown): Rule[] {
  if (!Array.isArray(names)) return [];
  return names.map((name) => ({
    source_labels: [`${meta}${kind}_label_${sanitize(String(name))}`],
    target_label: sanitize(String(name)),
    regex: "(.+)",
  }));
}

function jobLabel(kind: "service" | "pod", label: string): Rule[] {
  if (label === "") return [];
  const source = `${meta}${kind}_label_${sanitize(label)}`;
  return [{ source_labels: [source], target_label: "job", regex: "(.+)" }];
}

function dropEnded(endpoint: Json): Rule[] {
  if (endpoint["filterRunning"] === false) return [];
  return [{ action: "drop", source_labels: [`${meta}pod_phase`], regex: "(Failed|Succeeded)" }];
}
