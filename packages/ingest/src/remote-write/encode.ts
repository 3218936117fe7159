/** Remote write 1.0: a snappied `prometheus.WriteRequest`. Source: prometheus.io/docs/specs/prw/remote_write_spec. */
import { highWord, LabelSet, lowWord, type MetricMetadata } from "@skopos/model";
import { compress } from "snappyjs";
import { writeRemoteHistogram } from "../wire/histogram.ts";
import { ProtobufBuffer } from "../wire/protobuf-buffer.ts";
import { seriesField, writeLabels, writeSample } from "../wire/time-series.ts";
import { type OutgoingItem, type OutgoingSeries, seriesOf } from "./outgoing.ts";
import { metricTypes } from "./series.ts";

export const remoteWriteHeaders: Readonly<Record<string, string>> = {
  "content-type": "application/x-protobuf",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "0.1.0",
};

export function encodeRemoteWrite(items: readonly OutgoingItem[]): Uint8Array<ArrayBuffer> {
  const out = new ProtobufBuffer();
  for (const series of seriesOf(items)) {
    const message = out.begin(1);
    writeLabels(out, series.labels);
    writePoints(out, series, seriesField);
    for (const { labels, value, timeMs } of series.exemplars) {
      const exemplar = out.begin(seriesField.exemplars);
      writeLabels(out, LabelSet.fromMap(labels));
      out.double(2, value);
      out.int(3, timeMs);
      out.end(exemplar);
    }
    out.end(message);
  }
  return new Uint8Array(compress(out.finish()));
}

/** Samples and histograms, whose messages both versions have, though under other numbers. */
export function writePoints(
  out: ProtobufBuffer,
  { pages, indexes, histograms }: OutgoingSeries,
  fields: { readonly samples: number; readonly histograms: number },
): void {
  for (const [k, page] of pages.entries()) {
    const { values } = page;
    const words = new Uint32Array(values.buffer, values.byteOffset + (indexes[k] ?? 0) * 8, 2);
    writeSample(out, page.timeMs, words[lowWord] ?? 0, words[highWord] ?? 0, fields.samples);
  }
  for (const { timeMs, histogram } of histograms)
    writeRemoteHistogram(out, fields.histograms, timeMs, histogram);
}

/** What families say of themselves, which 1.0 sends apart from samples. */
export function encodeMetadata(
  families: readonly (readonly [string, MetricMetadata])[],
): Uint8Array<ArrayBuffer> {
  const out = new ProtobufBuffer();
  for (const [name, { type, help, unit }] of families) {
    const message = out.begin(3);
    out.int(1, metricTypeNumber(type));
    out.text(2, name);
    out.text(4, help);
    out.text(5, unit);
    out.end(message);
  }
  return new Uint8Array(compress(out.finish()));
}

/** The same in both versions; 0 is unknown. */
export function metricTypeNumber(type: string): number {
  return Math.max(
    0,
    metricTypes.findIndex((each) => each === type),
  );
}
