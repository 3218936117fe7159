/**
 * Remote write 2.0: a snappied `io.prometheus.write.v2.Request`, every text once in a table of symbols. A series carries
 * what its family says of itself. Source: prometheus.io/docs/specs/prw/remote_write_spec_2_0.
 */
import { LabelSet, metricNameLabel, type MetricMetadata } from "@skopos/model";
import { compress } from "snappyjs";
import { ProtobufBuffer } from "../wire/protobuf-buffer.ts";
import { metricTypeNumber, writePoints } from "./encode.ts";
import { type OutgoingItem, type OutgoingSeries, seriesOf } from "./outgoing.ts";

export const remoteWriteHeadersV2: Readonly<Record<string, string>> = {
  "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "2.0.0",
};

const requestField = { symbols: 4, series: 5 } as const;
const seriesField = { labels: 1, samples: 2, histograms: 3, exemplars: 4, metadata: 5 } as const;
const parts = /_(?:bucket|count|sum|total)$/;

/** Symbol 0 is the empty text. */
class Symbols {
  readonly #ids = new Map([["", 0]]);

  of(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    this.#ids.set(text, this.#ids.size);
    return this.#ids.size - 1;
  }

  write(out: ProtobufBuffer): void {
    for (const text of this.#ids.keys()) out.text(requestField.symbols, text);
  }
}

/** Exemplars of a series of which nothing else is sent are left out, as the specification has no place for them. */
export function encodeRemoteWriteV2(
  items: readonly OutgoingItem[],
  metadata: ReadonlyMap<string, MetricMetadata>,
): Uint8Array<ArrayBuffer> {
  const symbols = new Symbols();
  const series = new ProtobufBuffer();
  for (const each of seriesOf(items))
    if (each.pages.length + each.histograms.length > 0)
      writeSeries(series, each, symbols, metadataOf(each.labels, metadata));
  const out = new ProtobufBuffer(series.length);
  symbols.write(out);
  out.append(series);
  return new Uint8Array(compress(out.finish()));
}

function metadataOf(
  labels: LabelSet,
  metadata: ReadonlyMap<string, MetricMetadata>,
): MetricMetadata | undefined {
  const name = labels.get(metricNameLabel);
  return metadata.get(name) ?? metadata.get(name.replace(parts, ""));
}

function writeSeries(
  out: ProtobufBuffer,
  series: OutgoingSeries,
  symbols: Symbols,
  metadata: MetricMetadata | undefined,
): void {
  const message = out.begin(requestField.series);
  writeReferences(out, series.labels, symbols);
  writePoints(out, series, seriesField);
  for (const { labels, value, timeMs } of series.exemplars) {
    const exemplar = out.begin(seriesField.exemplars);
    writeReferences(out, LabelSet.fromMap(labels), symbols);
    out.double(2, value);
    out.int(3, timeMs);
    out.end(exemplar);
  }
  if (metadata) {
    const about = out.begin(seriesField.metadata);
    out.int(1, metricTypeNumber(metadata.type));
    out.int(3, symbols.of(metadata.help));
    out.int(4, symbols.of(metadata.unit));
    out.end(about);
  }
  out.end(message);
}

/** Packed, field 1 of series and exemplars alike. */
function writeReferences(out: ProtobufBuffer, { flat }: LabelSet, symbols: Symbols): void {
  const packed = out.begin(seriesField.labels);
  for (const text of flat) out.packedUint(symbols.of(text));
  out.end(packed);
}
