/**
 * OTLP metrics to batches of series, one batch for each resource, named and labelled as Prometheus's own OTLP receiver does
 * with its default settings. Cumulative sums and histograms are stored; delta ones are rejected, since adding them up would
 * need state that outlives restarts of both sides. `service.namespace/service.name` becomes `job`, `service.instance.id`
 * becomes `instance`; the resource's other attributes are the labels of `target_info`.
 * Source: the OTLP specification; OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
 */
import { type AttributeValue, LabelSet, metricNameLabel, staleNaN } from "@skopos/model";
import { batchLimits, type MetricBatch, MetricBatchBuilder } from "../metric-batch/batch.ts";
import { histogramFault } from "../metric-batch/native-histogram.ts";
import { bodyMaxDefault, inflateBody, mediaTypeOf } from "../wire/body.ts";
import { parseJson } from "../wire/json.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { nativeHistogramOf } from "./exponential.ts";
import {
  type ExemplarDraft,
  type ExponentialPoint,
  type HistogramPoint,
  type MetricDraft,
  type NumberPoint,
  type OtlpAttributes,
  type PointBase,
  ReadBudget,
  type ResourceDraft,
  type SummaryPoint,
} from "./metric-draft.ts";
import {
  labelNameOf,
  metricNameOf,
  metricUnitOf,
  type NamedKind,
  plainFloat,
} from "./metric-names.ts";
import { metricsFromJson } from "./metrics-json.ts";
import { readMetricsRequest } from "./metrics-protobuf.ts";
import type { DecodeOptions } from "./traces.ts";

export interface ResourceBatch {
  /** Who sends: the same for the same job and instance. */
  readonly group: string;
  readonly batch: MetricBatch;
}

/** Throws "bad-protobuf", "bad-json", "bad-gzip", "too-large", "unsupported-media-type". */
export function decodeOtlpMetrics(
  body: Uint8Array,
  contentType: string | undefined,
  options: DecodeOptions = {},
): ResourceBatch[] {
  const type = mediaTypeOf(contentType, "protobuf");
  const sizeMax = options.bodyMax ?? bodyMaxDefault;
  const bytes = inflateBody(body, options.contentEncoding, sizeMax);
  const budget = new ReadBudget();
  const batches: ResourceBatch[] = [];
  const take = (resource: ResourceDraft) => batches.push(new ResourceSeries(resource).convert());
  if (type === "json") metricsFromJson(parseJson(bytes), budget, take);
  else readMetricsRequest(new ProtobufReader(bytes, "ExportMetricsServiceRequest"), budget, take);
  return batches;
}

const identity = ["service.name", "service.namespace", "service.instance.id"];
const exemplarCharsMax = 128;
const noRecordedValue = 1;

/** The series of one resource. */
class ResourceSeries {
  readonly #resource: ResourceDraft;
  readonly #into = new MetricBatchBuilder();
  /** Of `job` and `instance`. */
  readonly #own: readonly (readonly [string, string])[];
  #newestMs = 0;

  constructor(resource: ResourceDraft) {
    this.#resource = resource;
    const text = (key: string) => textOf(resource.attributes.get(key));
    const name = text("service.name");
    const namespace = text("service.namespace");
    const job = name !== "" && namespace !== "" ? `${namespace}/${name}` : name;
    this.#own = [
      ["job", job],
      ["instance", text("service.instance.id")],
    ];
  }

  convert(): ResourceBatch {
    for (const metric of this.#resource.metrics) this.#metric(metric);
    this.#targetInfo();
    const group = `otlp ${JSON.stringify(this.#own.map(([, value]) => value))}`;
    return { group, batch: this.#into.finish() };
  }

  #metric(metric: MetricDraft): void {
    const { data, unit } = metric;
    const named = namedKind(metric);
    const name = metricNameOf(metric.name, unit, named);
    const fault = faultOf(metric, name);
    if (fault !== "") return this.#into.reject(data.points.length, fault);
    this.#into.metadata(name, {
      type: metadataTypes[named],
      help: metric.description,
      unit: metricUnitOf(unit),
    });
    if (data.kind === "gauge" || data.kind === "sum")
      for (const point of data.points) this.#number(name, point, named === "monotonic-sum");
    else if (data.kind === "histogram")
      for (const point of data.points) this.#histogram(name, point);
    else if (data.kind === "exponential")
      for (const point of data.points) this.#exponential(name, point);
    else if (data.kind === "summary") for (const point of data.points) this.#summary(name, point);
  }

  /** The point's time in milliseconds; undefined when it has none and is rejected. */
  #timeOf(name: string, point: PointBase): number | undefined {
    const timeMs = Number(point.timeNs / 1_000_000n);
    if (timeMs <= 0) {
      this.#into.reject(1, `${name}: a data point has no time`);
      return undefined;
    }
    if (timeMs > this.#newestMs) this.#newestMs = timeMs;
    return timeMs;
  }

  #number(name: string, point: NumberPoint, withExemplars: boolean): void {
    const timeMs = this.#timeOf(name, point);
    if (timeMs === undefined) return;
    if (point.value === undefined && !isEnded(point))
      return this.#into.reject(1, `${name}: a data point has no value`);
    const labels = this.#labels(point.attributes);
    const series = this.#sample(name, labels, point, timeMs, point.value ?? 0);
    if (withExemplars)
      for (const exemplar of point.exemplars) this.#exemplar(series, exemplar, timeMs);
  }

  #histogram(name: string, point: HistogramPoint): void {
    const timeMs = this.#timeOf(name, point);
    if (timeMs === undefined) return;
    const { bounds, bucketCounts } = point;
    if (bucketCounts.length > 0 && bucketCounts.length !== bounds.length + 1)
      return this.#into.reject(
        1,
        `${name}: ${bucketCounts.length} buckets do not fit ${bounds.length} bounds`,
      );
    const labels = this.#labels(point.attributes);
    if (point.sum !== undefined) this.#sample(`${name}_sum`, labels, point, timeMs, point.sum);
    this.#sample(`${name}_count`, labels, point, timeMs, point.count);
    const exemplars = [...point.exemplars].sort((a, b) => a.value - b.value);
    let next = 0;
    let total = 0;
    const bucket = (le: number, count: number) => {
      const own = new Map(labels).set("le", plainFloat(le));
      const series = this.#sample(`${name}_bucket`, own, point, timeMs, count);
      for (let each = exemplars[next]; each && each.value <= le; each = exemplars[++next])
        this.#exemplar(series, each, timeMs);
    };
    for (const [i, bound] of bounds.entries()) {
      if (i >= bucketCounts.length || bound === Infinity) break;
      total += bucketCounts[i] ?? 0;
      bucket(bound, total);
    }
    bucket(Infinity, point.count);
  }

  #exponential(name: string, point: ExponentialPoint): void {
    const timeMs = this.#timeOf(name, point);
    if (timeMs === undefined) return;
    const labels = this.#labels(point.attributes);
    if (isEnded(point)) {
      this.#sample(name, labels, point, timeMs, 0);
      return;
    }
    const histogram = nativeHistogramOf(point);
    const fault = histogramFault(histogram, true);
    if (fault !== "") return this.#into.reject(1, `${name}: ${fault}`);
    const series = this.#series(name, labels);
    this.#into.histogram(series, timeMs, histogram);
    for (const exemplar of point.exemplars) this.#exemplar(series, exemplar, timeMs);
  }

  #summary(name: string, point: SummaryPoint): void {
    const timeMs = this.#timeOf(name, point);
    if (timeMs === undefined) return;
    const labels = this.#labels(point.attributes);
    this.#sample(`${name}_sum`, labels, point, timeMs, point.sum);
    this.#sample(`${name}_count`, labels, point, timeMs, point.count);
    for (const { quantile, value } of point.quantiles) {
      const own = new Map(labels).set("quantile", plainFloat(quantile));
      this.#sample(name, own, point, timeMs, value);
    }
  }

  #sample(
    name: string,
    labels: ReadonlyMap<string, string>,
    point: PointBase,
    timeMs: number,
    value: number,
  ): number {
    const series = this.#series(name, labels);
    if (isEnded(point)) this.#into.sampleBits(series, timeMs, staleNaN);
    else this.#into.sample(series, timeMs, value);
    return series;
  }

  #series(name: string, labels: ReadonlyMap<string, string>): number {
    return this.#into.series(LabelSet.fromPairs([...labels, [metricNameLabel, name]]));
  }

  /** Two keys that become one name share its value, in the keys' order, as `a;b`. */
  #labels(attributes: OtlpAttributes): Map<string, string> {
    const labels = labelsOf(attributes, () => true);
    for (const [name, value] of this.#own) if (value !== "") labels.set(name, value);
    return labels;
  }

  #exemplar(series: number, draft: ExemplarDraft, pointMs: number): void {
    const labels: Record<string, string> = {};
    if (/[1-9a-f]/.test(draft.traceId)) labels["trace_id"] = draft.traceId;
    if (/[1-9a-f]/.test(draft.spanId)) labels["span_id"] = draft.spanId;
    const more = Object.fromEntries(labelsOf(draft.attributes, () => true));
    const chars = Object.entries({ ...more, ...labels }).reduce(
      (sum, [name, value]) => sum + name.length + value.length,
      0,
    );
    // The ids are worth more than the attributes, which may be too long to keep.
    const kept = chars <= exemplarCharsMax ? { ...more, ...labels } : labels;
    const timeMs = draft.timeNs > 0n ? Number(draft.timeNs / 1_000_000n) : pointMs;
    this.#into.exemplar(series, { labels: kept, value: draft.value, timeMs });
  }

  /** Says what else is known of the sender, at the time of its newest point. */
  #targetInfo(): void {
    if (this.#newestMs === 0 || this.#own.every(([, value]) => value === "")) return;
    const labels = labelsOf(this.#resource.attributes, (key) => !identity.includes(key));
    if (labels.size === 0) return;
    for (const [name, value] of this.#own) if (value !== "") labels.set(name, value);
    const series = this.#series("target_info", labels);
    this.#into.sample(series, this.#newestMs, 1);
    this.#into.metadata("target_info", { type: "gauge", help: "Target metadata", unit: "" });
  }
}

function isEnded(point: PointBase): boolean {
  return (point.flags & noRecordedValue) !== 0;
}

const metadataTypes: Readonly<Record<NamedKind, string>> = {
  gauge: "gauge",
  sum: "gauge",
  "monotonic-sum": "counter",
  histogram: "histogram",
  summary: "summary",
};

function namedKind({ data }: MetricDraft): NamedKind {
  if (data.kind === "sum") return data.monotonic ? "monotonic-sum" : "sum";
  if (data.kind === "gauge" || data.kind === "summary") return data.kind;
  return data.kind === "none" ? "gauge" : "histogram";
}

/** Why none of the metric's points can be taken, "" when they can. */
function faultOf({ name, data }: MetricDraft, prometheusName: string): string {
  if (prometheusName === "") return `a metric called ${JSON.stringify(name.slice(0, 64))}`;
  if (prometheusName.length > batchLimits.labelChars)
    return `the metric name ${prometheusName.slice(0, 64)}… is too long`;
  if ("temporality" in data && data.temporality !== "cumulative")
    return `${prometheusName}: temporality is ${data.temporality}, set the exporter's temporality preference to cumulative`;
  return "";
}

function labelsOf(
  attributes: OtlpAttributes,
  wanted: (key: string) => boolean,
): Map<string, string> {
  const labels = new Map<string, string>();
  for (const key of [...attributes.keys()].sort()) {
    if (!wanted(key)) continue;
    const value = textOf(attributes.get(key));
    const name = labelNameOf(key);
    if (value === "" || name === "") continue;
    const known = labels.get(name);
    labels.set(name, known === undefined ? value : `${known};${value}`);
  }
  return labels;
}

function textOf(value: AttributeValue | undefined): string {
  if (value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
