/** The container series that cAdvisor would expose, from what the pods' processes really use. */
import type { Pod } from "../kube/object.ts";
import { mapAt } from "../kube/json.ts";
import { parseQuantity } from "../kube/quantity.ts";
import { labelsText, Page } from "../telemetry/exposition.ts";
import type { PodRun } from "./pod-run.ts";

export interface ControlUsage {
  readonly pod: Pod;
  readonly container: string;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export function cadvisorText(
  runs: readonly { pod: Pod; run: PodRun }[],
  control: readonly ControlUsage[],
): string {
  const rows = [
    ...runs.flatMap(({ pod, run }) =>
      run.totals.map((total) => ({ ...total, pod, startedMs: run.state.startedMs })),
    ),
    ...control.map((usage) => ({ ...usage, startedMs: Date.now() - process.uptime() * 1000 })),
  ].map((row) => ({ ...row, labels: labelsOf(row.pod, row.container) }));
  const page = new Page();
  page.family("container_cpu_usage_seconds_total", "counter");
  for (const row of rows) {
    page.raw(
      `container_cpu_usage_seconds_total{${row.labels},cpu="total"} ${row.cpuSeconds.toFixed(3)}`,
    );
  }
  for (const name of ["container_memory_working_set_bytes", "container_memory_rss"]) {
    page.family(name, "gauge");
    for (const row of rows) page.raw(`${name}{${row.labels}} ${row.memoryBytes}`);
  }
  page.family("container_start_time_seconds", "gauge");
  for (const row of rows) {
    page.raw(`container_start_time_seconds{${row.labels}} ${(row.startedMs / 1000).toFixed(3)}`);
  }
  writeLimits(page, rows);
  return page.text();
}

function writeLimits(
  page: Page,
  rows: readonly { pod: Pod; container: string; labels: string }[],
): void {
  page.family("container_spec_memory_limit_bytes", "gauge");
  for (const { pod, container, labels } of rows) {
    const limit = limitOf(pod, container, "memory");
    if (limit !== undefined) page.raw(`container_spec_memory_limit_bytes{${labels}} ${limit}`);
  }
  page.family("container_spec_cpu_quota", "gauge");
  for (const { pod, container, labels } of rows) {
    const limit = limitOf(pod, container, "cpu");
    if (limit !== undefined) page.raw(`container_spec_cpu_quota{${labels}} ${limit * 100_000}`);
  }
}

function limitOf(pod: Pod, container: string, resource: string): number | undefined {
  const spec = pod.spec.containers.find(({ name }) => name === container);
  const quantity = mapAt(spec, "resources", "limits")[resource];
  if (typeof quantity !== "string" && typeof quantity !== "number") return undefined;
  return parseQuantity(quantity);
}

function labelsOf(pod: Pod, container: string): string {
  const spec = pod.spec.containers.find(({ name }) => name === container);
  return labelsText({
    namespace: pod.metadata.namespace ?? "default",
    pod: pod.metadata.name,
    container,
    image: spec?.image ?? "",
    node: pod.spec.nodeName ?? "",
  });
}
