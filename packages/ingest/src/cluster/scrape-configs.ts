/**
 * ScrapeConfig objects (monitoring.coreos.com/v1alpha1) as scrape configs of Prometheus, as the Prometheus operator generates
 * them. Targets come from lists, HTTP or a cluster; other discoveries are refused by name, files of this machine above all.
 * Source: prometheus-operator, API reference and pkg/prometheus/promcfg.go.
 */
import { listOf, recordOf, textOf } from "../discovery/meta-labels.ts";
import type { KubeObject } from "../discovery/reflector.ts";
import { IngestError } from "../errors.ts";
import { credentialsOf, type Json, relabelings, settingsOf } from "./endpoint-settings.ts";
import type { Lookup } from "./references.ts";

const understood = ["staticConfigs", "httpSDConfigs", "kubernetesSDConfigs"];

/** Throws "bad-config". */
export function scrapeConfigJobs(object: KubeObject, lookup: Lookup): Json[] {
  const spec = recordOf(object["spec"]);
  const { name, namespace = "" } = object.metadata;
  for (const [field, value] of Object.entries(spec))
    if (field.endsWith("SDConfigs") && !understood.includes(field) && listOf(value).length > 0)
      throw new IngestError(
        "bad-config",
        `${field} is not read for ScrapeConfigs: use ${understood.join(", ")}`,
      );
  const { scrapeInterval, metricsPath, jobName } = spec;
  const job = textOf(jobName);
  return [
    {
      job_name: `scrapeConfig/${namespace}/${name}`,
      ...settingsOf(spec, { ...spec, interval: scrapeInterval, path: metricsPath }, lookup),
      static_configs: listOf(spec["staticConfigs"]).map(({ targets, labels }) => ({
        targets,
        labels,
      })),
      http_sd_configs: listOf(spec["httpSDConfigs"]).map((config) => ({
        url: config["url"],
        ...given("refresh_interval", config["refreshInterval"]),
        ...credentialsOf(config, lookup),
      })),
      kubernetes_sd_configs: listOf(spec["kubernetesSDConfigs"]).map((config) =>
        kubernetesOf(config, lookup),
      ),
      relabel_configs: [
        ...(job === "" ? [] : [{ target_label: "job", replacement: job.replaceAll("$", "$$$$") }]),
        ...relabelings(spec["relabelings"]),
      ],
    },
  ];
}

function kubernetesOf(config: Json, lookup: Lookup): Json {
  const { ownNamespace, names } = recordOf(config["namespaces"]);
  const { node } = recordOf(config["attachMetadata"]);
  return {
    role: textOf(config["role"]).toLowerCase(),
    ...given("api_server", config["apiServer"]),
    namespaces: { ...given("own_namespace", ownNamespace), ...given("names", names) },
    selectors: listOf(config["selectors"]).map((selector) => ({
      ...selector,
      role: textOf(selector["role"]).toLowerCase(),
    })),
    attach_metadata: given("node", node),
    ...credentialsOf(config, lookup),
  };
}

function given(name: string, value: unknown): Json {
  return value === undefined || value === null ? {} : { [name]: value };
}
