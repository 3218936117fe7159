/** Relabelling rules that make series fewer, as `metric_relabel_configs` of a scrape job takes them. */

const escaped = (text: string) => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, "\\$&");
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Drops a label: series that differ in nothing else become one, so it must not be what tells them apart. */
export function dropLabelRule(label: string): string {
  return `metric_relabel_configs:\n  - action: labeldrop\n    regex: ${quoted(escaped(label))}`;
}

/** Drops a metric, or the series of it that carry one value of a label. */
export function dropMetricRule(metric: string): string {
  return `metric_relabel_configs:\n  - source_labels: [__name__]\n    action: drop\n    regex: ${quoted(escaped(metric))}`;
}

/** `pair` is written `name=value`. */
export function dropPairRule(pair: string): string {
  const at = pair.indexOf("=");
  const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
  return `metric_relabel_configs:\n  - source_labels: [${name}]\n    action: drop\n    regex: ${quoted(escaped(value))}`;
}

/** Labels that queries and the graph cannot do without. */
const neededLabels = new Set([
  "__name__",
  "job",
  "instance",
  "namespace",
  "pod",
  "le",
  "quantile",
  "reporter",
  "response_code",
  "response_flags",
]);

export function mayDrop(label: string): boolean {
  return (
    !neededLabels.has(label) &&
    !/^(?:source|destination)_(?:canonical_(?:service|revision)|workload|service_name(?:space)?$)/.test(
      label,
    )
  );
}
