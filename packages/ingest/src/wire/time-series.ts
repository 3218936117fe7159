/** `prometheus.TimeSeries` as remote write and remote read send it. Source: prompb/types.proto. */
import type { LabelSet } from "@skopos/model";
import type { ProtobufBuffer } from "./protobuf-buffer.ts";

export const seriesField = { labels: 1, samples: 2, exemplars: 3, histograms: 4 } as const;

export function writeLabels(out: ProtobufBuffer, labels: LabelSet): void {
  const { flat } = labels;
  for (let i = 0; i < flat.length; i += 2) {
    const label = out.begin(seriesField.labels);
    out.text(1, flat[i] ?? "");
    out.text(2, flat[i + 1] ?? "");
    out.end(label);
  }
}

/** A `Sample`, as both versions of remote write have it; `field` is its number in the series. */
export function writeSample(
  out: ProtobufBuffer,
  timeMs: number,
  low: number,
  high: number,
  field: number = seriesField.samples,
): void {
  const sample = out.beginShort(field);
  out.doubleBits(1, low, high);
  out.int(2, timeMs);
  out.endShort(sample);
}
