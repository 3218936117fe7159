/** From a series on a page to the series stored: target labels, honor_labels, metric relabelling, label limits. */
import { LabelSet, metricNameLabel } from "@skopos/model";
import { IngestError } from "../errors.ts";
import type { ScrapeJob } from "./config.ts";
import type { Relabeling } from "./relabel.ts";

/** Undefined: dropped by relabelling. Throws "limit" when a label limit is passed. Source: Prometheus mutateSampleLabels. */
export function sampleLabels(
  job: ScrapeJob,
  relabeling: Relabeling,
  target: LabelSet,
  series: LabelSet,
): LabelSet | undefined {
  const labels = relabeling.apply(
    mergedApart(series, target) ?? mergedByRule(job.honorLabels, series, target),
  );
  if (!labels || labels.size === 0) return undefined;
  if (!labels.has(metricNameLabel))
    throw new IngestError("bad-exposition", `series ${String(series)} lost its metric name`);
  checkLimits(job, labels);
  return labels;
}

/** Both sets in one; undefined when they share a name. */
function mergedApart(series: LabelSet, target: LabelSet): LabelSet | undefined {
  const [one, other] = [series.flat, target.flat];
  const flat: string[] = [];
  let i = 0;
  let k = 0;
  while (i < one.length || k < other.length) {
    const name = one[i];
    const label = other[k];
    if (name === label) return undefined;
    if (label === undefined || (name !== undefined && name < label)) {
      flat.push(name ?? "", one[i + 1] ?? "");
      i += 2;
    } else {
      flat.push(label, other[k + 1] ?? "");
      k += 2;
    }
  }
  return LabelSet.fromSorted(flat);
}

function mergedByRule(honorLabels: boolean, series: LabelSet, target: LabelSet): LabelSet {
  const merged = new Map(series.entries());
  for (const [name, value] of target.entries()) {
    const own = merged.get(name);
    if (own !== undefined && honorLabels) continue;
    if (own !== undefined) {
      let exported = `exported_${name}`;
      while (merged.has(exported) || target.has(exported)) exported = `exported_${exported}`;
      merged.set(exported, own);
    }
    merged.set(name, value);
  }
  return LabelSet.fromPairs(merged);
}

function checkLimits(job: ScrapeJob, labels: LabelSet): void {
  const { labels: countMax, labelNameChars, labelValueChars } = job.limits;
  const name = labels.get(metricNameLabel);
  if (countMax > 0 && labels.size > countMax)
    throw new IngestError(
      "limit",
      `label_limit: ${name} has ${labels.size} labels, ${countMax} are allowed`,
    );
  if (labelNameChars === 0 && labelValueChars === 0) return;
  for (const [label, value] of labels.entries()) {
    if (labelNameChars > 0 && label.length > labelNameChars)
      throw new IngestError("limit", `label_name_length_limit: ${name} has the label ${label}`);
    if (labelValueChars > 0 && value.length > labelValueChars)
      throw new IngestError(
        "limit",
        `label_value_length_limit: ${label} of ${name} is ${value.length} characters long`,
      );
  }
}
