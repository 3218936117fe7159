/**
 * The rules of OpenMetrics 1.0 that tie lines together: metadata before samples, one block per family, one block per metric,
 * no clashing names, ordered cumulative buckets, values and exemplars that the type allows. Rules that the prose leaves open
 * follow the project's reference parser.
 */
import { type LabelSet, metricNameLabel } from "@skopos/model";
import type { MetadataLine } from "./metadata.ts";
import { parseNumberText } from "./number.ts";
import { HistogramChecks } from "./histogram-checks.ts";
import type { MetricType } from "./page.ts";
import { failAt, type LinePosition } from "./series.ts";
import type { Tail } from "./tail.ts";

const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total", "_created"],
  summary: ["", "_count", "_sum", "_created"],
  histogram: ["_bucket", "_count", "_sum", "_created"],
  gaugehistogram: ["_bucket", "_gcount", "_gsum"],
  info: ["_info"],
  gauge: [""],
  stateset: [""],
  unknown: [""],
};

interface Family {
  readonly name: string;
  readonly position: LinePosition;
  readonly declared: Set<MetadataLine["kind"]>;
  type: MetricType;
  samples: number;
  unit: string;
  /** Metrics (label sets without the parts a type adds) that had their block. */
  readonly groups: Set<string>;
  group: string | undefined;
  groupTimeMs: number;
  readonly histogram: HistogramChecks;
}

export class FamilyChecks {
  readonly #names = new Set<string>();
  #family: Family | undefined;

  metadata(line: MetadataLine, position: LinePosition): void {
    let family = this.#family;
    if (family?.name !== line.family) family = this.#open(line.family, position);
    if (family.samples > 0)
      failAt(position, position.start, `metadata of ${family.name} after its samples`);
    if (family.declared.has(line.kind))
      failAt(position, position.start, `${line.kind} of ${family.name} is given twice`);
    family.declared.add(line.kind);
    if (line.kind === "type") family.type = line.text as MetricType;
    if (line.kind === "unit") family.unit = line.text;
    if (family.unit === "") return;
    if (!family.name.endsWith(`_${family.unit}`))
      failAt(position, position.start, `${family.name} must end with its unit, _${family.unit}`);
    if (family.type === "info" || family.type === "stateset")
      failAt(position, position.start, `a family of type ${family.type} has no unit`);
  }

  sample(labels: LabelSet, tail: Tail, position: LinePosition): void {
    const name = labels.get(metricNameLabel);
    let family = this.#family;
    let suffix = family ? suffixIn(family, name) : undefined;
    if (!family || suffix === undefined) {
      family = this.#open(name, position);
      suffix = "";
    }
    family.samples++;
    const fail = (reason: string): never => failAt(position, position.start, reason);
    checkLabels(family, suffix, labels, fail);
    checkValue(family, suffix, tail.value, fail);
    if (tail.exemplar && !exemplarAllowed(family, suffix))
      fail(`a ${family.type}'s ${name} has no exemplars`);
    const newGroup = this.#group(family, suffix, labels, tail, fail);
    if (family.type === "histogram" || family.type === "gaugehistogram") {
      if (newGroup) family.histogram.finish(fail);
      const bound = suffix === "_bucket" ? parseNumberText(labels.get("le")) : undefined;
      family.histogram.sample(suffix, bound, tail.value, fail);
    }
  }

  finish(): void {
    const family = this.#family;
    if (!family) return;
    this.#family = undefined;
    const fail = (reason: string): never =>
      failAt(family.position, family.position.start, `family ${family.name}: ${reason}`);
    family.histogram.finish(fail);
    for (const suffix of new Set([...(suffixes[family.type] ?? []), ""])) {
      const name = family.name + suffix;
      if (this.#names.has(name)) fail(`${name} was already used on this page`);
      this.#names.add(name);
    }
  }

  #open(name: string, position: LinePosition): Family {
    this.finish();
    const family: Family = {
      name,
      position,
      declared: new Set(),
      type: "unknown",
      samples: 0,
      unit: "",
      groups: new Set(),
      group: undefined,
      groupTimeMs: Number.NaN,
      histogram: new HistogramChecks(),
    };
    this.#family = family;
    return family;
  }

  /** Whether the sample starts another metric, or the same one at another time. */
  #group(
    family: Family,
    suffix: string,
    labels: LabelSet,
    tail: Tail,
    fail: (reason: string) => never,
  ): boolean {
    const key = groupKey(family, suffix, labels);
    const before = family.groupTimeMs;
    const timeMs = tail.timeMs;
    const same = family.group === key;
    if (same) {
      if (Number.isNaN(before) !== Number.isNaN(timeMs))
        fail("some samples of a metric have a timestamp and some have none");
      if (before > timeMs && family.type !== "info") fail("timestamps of a metric go backwards");
    } else if (family.groups.has(key)) fail("samples of one metric are not next to each other");
    const moved = !Object.is(before, timeMs);
    family.group = key;
    family.groupTimeMs = timeMs;
    family.groups.add(key);
    return !same || moved;
  }
}

function suffixIn(family: Family, name: string): string | undefined {
  if (!name.startsWith(family.name)) return undefined;
  const suffix = name.slice(family.name.length);
  return suffixes[family.type]?.includes(suffix) ? suffix : undefined;
}

function groupKey(family: Family, suffix: string, labels: LabelSet): string {
  if (family.type === "info") return "";
  const own = (name: string) =>
    name === metricNameLabel ||
    (family.type === "summary" && suffix === "" && name === "quantile") ||
    (family.type === "stateset" && name === family.name) ||
    (suffix === "_bucket" && name === "le");
  return labels.without(own).key;
}

function checkLabels(
  family: Family,
  suffix: string,
  labels: LabelSet,
  fail: (reason: string) => never,
): void {
  if (family.type === "stateset" && !labels.has(family.name))
    fail(`a stateset's sample needs the label ${family.name}`);
  if (suffix === "_bucket") {
    const bound = parseNumberText(labels.get("le"));
    if (bound === undefined || Number.isNaN(bound)) fail("a bucket needs a number in label le");
  }
  if (family.type === "summary" && suffix === "") {
    const quantile = parseNumberText(labels.get("quantile"));
    if (quantile === undefined || !(quantile >= 0 && quantile <= 1))
      fail("a summary's sample needs a label quantile between 0 and 1");
  }
}

const counterLike = new Set(["_total", "_sum", "_count", "_bucket", "_gcount", "_gsum"]);
const wholeNumbers = new Set(["_bucket", "_count", "_gcount"]);

function checkValue(
  family: Family,
  suffix: string,
  value: number,
  fail: (reason: string) => never,
): void {
  const { type } = family;
  if (type === "stateset" && value !== 0 && value !== 1) fail("a stateset's value is 0 or 1");
  if (type === "info" && value !== 1) fail("an info's value is 1");
  if (type === "summary" && suffix === "" && value < 0) fail("a quantile cannot be negative");
  if (!counterLike.has(suffix)) return;
  if (Number.isNaN(value)) fail(`${suffix} cannot be NaN`);
  if (suffix !== "_gsum" && value < 0) fail(`${suffix} cannot be negative`);
  if (wholeNumbers.has(suffix) && Number.isFinite(value) && !Number.isInteger(value))
    fail(`${suffix} must be a whole number`);
}

function exemplarAllowed(family: Family, suffix: string): boolean {
  if (family.type === "counter") return suffix === "_total";
  return (family.type === "histogram" || family.type === "gaugehistogram") && suffix === "_bucket";
}
