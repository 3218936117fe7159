/**
 * From what discovery found to what is scraped: default labels, relabelling, and the target's identity.
 * Source: Prometheus `scrape/target.go`, PopulateLabels.
 */
import { formatDuration, type LabelMap, LabelSet, parseDuration } from "@skopos/model";
import { IngestError } from "../errors.ts";
import type { ScrapeJob } from "./config.ts";
import type { Relabeling } from "./relabel.ts";

/** Targets that one source (a static config, a pod) contributes; a later group of the same source replaces it. */
export interface TargetGroup {
  readonly source: string;
  /** Joined to each target's labels, which win. */
  readonly labels: LabelMap;
  readonly targets: readonly LabelMap[];
}

export interface Target {
  readonly job: string;
  /** What its samples carry. */
  readonly labels: LabelSet;
  readonly discoveredLabels: LabelSet;
  readonly url: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Equal for the same target across discoveries. */
  readonly key: string;
}

/** Undefined when relabelling drops it or it has no address. Throws "bad-config" for labels that make no URL. */
export function makeTarget(
  job: ScrapeJob,
  relabeling: Relabeling,
  group: TargetGroup,
  own: LabelMap,
): { target: Target | undefined; discoveredLabels: LabelSet } {
  const discoveredLabels = discovered(job, group, own);
  const kept = relabeling.apply(discoveredLabels);
  const address = kept?.get("__address__") ?? "";
  if (!kept || address === "") return { target: undefined, discoveredLabels };
  const url = targetUrl(kept, job.params);
  const intervalMs = parseDuration(kept.get("__scrape_interval__"));
  const timeoutMs = parseDuration(kept.get("__scrape_timeout__"));
  if (intervalMs === 0 || timeoutMs === 0 || timeoutMs > intervalMs)
    throw new IngestError(
      "bad-config",
      `target ${url}: scrape interval ${formatDuration(intervalMs)} and timeout ${formatDuration(timeoutMs)} do not fit`,
    );
  let labels = kept.without((name) => name.startsWith("__"));
  if (!labels.has("instance")) labels = labels.with("instance", address);
  const key = `scrape ${job.name} ${labels.key} ${url}`;
  const target = { job: job.name, labels, discoveredLabels, url, intervalMs, timeoutMs, key };
  return { target, discoveredLabels };
}

function discovered(job: ScrapeJob, group: TargetGroup, own: LabelMap): LabelSet {
  const labels: Record<string, string> = {
    job: job.name,
    __scrape_interval__: formatDuration(job.intervalMs),
    __scrape_timeout__: formatDuration(job.timeoutMs),
    __metrics_path__: job.metricsPath,
    __scheme__: job.scheme,
  };
  for (const [name, values] of Object.entries(job.params))
    if (values[0] !== undefined) labels[`__param_${name}`] = values[0];
  return LabelSet.fromMap({ ...labels, ...group.labels, ...own });
}

/** A parameter's first value can be relabelled, its further ones are the job's. */
function targetUrl(labels: LabelSet, jobParams: ScrapeJob["params"]): string {
  const scheme = labels.get("__scheme__");
  const address = labels.get("__address__");
  if (scheme !== "http" && scheme !== "https")
    throw new IngestError("bad-config", `target ${address}: unknown scheme "${scheme}"`);
  const path = labels.get("__metrics_path__") || "/metrics";
  const [pathname = "", query = ""] = path.split(/\?(.*)/s);
  const params = new Map(Object.entries(jobParams).map(([name, values]) => [name, [...values]]));
  for (const [name, value] of labels.entries())
    if (name.startsWith("__param_")) {
      const param = name.slice(8);
      params.set(param, [value, ...(params.get(param)?.slice(1) ?? [])]);
    }
  const search = new URLSearchParams(query);
  for (const [name, values] of params) for (const value of values) search.append(name, value);
  const text = search.toString();
  const url = `${scheme}://${address}${pathname.startsWith("/") ? "" : "/"}${pathname}`;
  if (!URL.canParse(url) || address.includes("/"))
    throw new IngestError("bad-config", `target ${JSON.stringify(address)} is not host:port`);
  return text === "" ? url : `${url}?${text}`;
}
