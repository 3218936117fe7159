/** Samples as a snappied `prometheus.WriteRequest`, remote write 1.0. Source: prometheus.io/docs/specs/prw/remote_write_spec. */
import { highWord, type LabelSet, lowWord } from "@skopos/model";
import { compress } from "snappyjs";
import { ProtobufBuffer } from "../wire/protobuf-buffer.ts";
import { writeLabels, writeSample } from "../wire/time-series.ts";

/** Samples of one time. Values keep their NaN payload. */
export interface SamplePage {
  readonly timeMs: number;
  readonly labels: readonly LabelSet[];
  readonly values: Float64Array;
}

export const remoteWriteHeaders: Readonly<Record<string, string>> = {
  "content-type": "application/x-protobuf",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "0.1.0",
};

interface Points {
  readonly labels: LabelSet;
  readonly pages: SamplePage[];
  readonly indexes: number[];
}

/** One series per label set, its samples in the order of the pages. */
export function encodeRemoteWrite(pages: readonly SamplePage[]): Uint8Array<ArrayBuffer> {
  const series = new Map<string, Points>();
  for (const page of pages)
    for (const [i, labels] of page.labels.entries()) {
      let points = series.get(labels.key);
      if (!points) {
        points = { labels, pages: [], indexes: [] };
        series.set(labels.key, points);
      }
      points.pages.push(page);
      points.indexes.push(i);
    }
  const out = new ProtobufBuffer();
  for (const { labels, pages: own, indexes } of series.values()) {
    const message = out.begin(1);
    writeLabels(out, labels);
    for (const [k, page] of own.entries()) {
      const i = indexes[k] ?? 0;
      const words = new Uint32Array(page.values.buffer, page.values.byteOffset + i * 8, 2);
      writeSample(out, page.timeMs, words[lowWord] ?? 0, words[highWord] ?? 0);
    }
    out.end(message);
  }
  return new Uint8Array(compress(out.finish()));
}
