/** What both versions of remote write hold of a series: its labels checked, its samples read into the batch. */
import { LabelSet, metricNameLabel, staleNaN } from "@skopos/model";
import type { BatchLimits, MetricBatchBuilder } from "../metric-batch/batch.ts";
import type { ProtobufReader } from "../wire/protobuf.ts";
import { readRemoteHistogram } from "./histogram.ts";

export const metricTypes = [
  "unknown",
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
] as const;

/** The labels of a flat list name, value, name, value…, or the reason why they are none. */
export function labelsFrom(flat: readonly string[], limits: BatchLimits): LabelSet | string {
  if (flat.length / 2 > limits.labels) return `a series has ${flat.length / 2} labels`;
  let sorted = true;
  let empty = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] ?? "";
    const value = flat[i + 1] ?? "";
    if (name === "") return "a label has no name";
    if (name.length > limits.labelChars || value.length > limits.labelChars)
      return `label ${name.slice(0, 64)} is longer than ${limits.labelChars} characters`;
    if (value === "") empty++;
    // As the specification asks of senders; then nothing needs to be sorted, and no name comes twice.
    if (i > 0 && name <= (flat[i - 2] ?? "")) sorted = false;
  }
  const labels =
    sorted && empty === 0 ? LabelSet.fromSorted(flat) : LabelSet.fromPairs(pairs(flat));
  if (!labels.has(metricNameLabel)) return `series ${String(labels)} has no metric name`;
  if (labels.size !== flat.length / 2 - empty) return `series ${String(labels)} has a label twice`;
  return labels;
}

function* pairs(flat: readonly string[]): Generator<readonly [string, string]> {
  for (let i = 0; i < flat.length; i += 2) yield [flat[i] ?? "", flat[i + 1] ?? ""];
}

const zeroBits = { high: 0, low: 0 };

/** A Sample message: value 1, timestamp 2, in both versions. */
export function readSample(reader: ProtobufReader, series: number, into: MetricBatchBuilder): void {
  let bits = zeroBits;
  let timeMs = 0;
  const outer = reader.enter();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) bits = reader.doubleBits();
    else if (field === 2) timeMs = reader.int64AsNumber();
    else reader.skip();
  }
  reader.leave(outer);
  into.sampleBits(series, timeMs, bits);
}

export function readHistogram(
  reader: ProtobufReader,
  series: number,
  labels: LabelSet,
  into: MetricBatchBuilder,
): void {
  const found = readRemoteHistogram(reader);
  if (found.kind === "histogram") into.histogram(series, found.timeMs, found.histogram);
  else if (found.kind === "stale") into.sampleBits(series, found.timeMs, staleNaN);
  else into.reject(1, `histogram ${String(labels)}: ${found.reason}`);
}
