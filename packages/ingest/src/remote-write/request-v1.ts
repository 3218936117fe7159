/** Remote write 1.0: `prometheus.WriteRequest`, labels spelt out with every series. Source: prompb/{remote,types}.proto. */
import { LabelSet } from "@skopos/model";
import type { MetricBatchBuilder } from "../metric-batch/batch.ts";
import type { ProtobufReader } from "../wire/protobuf.ts";
import type { SeriesShortcut } from "./series-shortcut.ts";
import { labelsFrom, metricTypes, readHistogram, readSample } from "./series.ts";

export function readWriteRequest(
  reader: ProtobufReader,
  into: MetricBatchBuilder,
  shortcut: SeriesShortcut,
): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) {
      const start = reader.span();
      const end = reader.position;
      if (!shortcut.take(start, end, into))
        readTimeSeries(reader.within("TimeSeries", start, end), into, shortcut);
    } else if (field === 3) readMetadata(reader.message("MetricMetadata"), into);
    else reader.skip();
  }
}

function readTimeSeries(
  reader: ProtobufReader,
  into: MetricBatchBuilder,
  shortcut: SeriesShortcut,
): void {
  const flat: string[] = [];
  let points = 0;
  let exemplars = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readLabel(reader, flat);
    else {
      if (field === 2 || field === 4) points++;
      if (field === 3) exemplars++;
      reader.skip();
    }
  }
  // Prometheus sends exemplars apart from the samples of their series.
  if (points + exemplars === 0) return;
  const labels = labelsFrom(flat, into.limits);
  if (typeof labels === "string") return into.reject(points, labels);
  const series = into.series(labels);
  shortcut.missed(series);
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) readSample(reader, series, into);
    else if (field === 3) readExemplar(reader.message("Exemplar"), series, into);
    else if (field === 4) readHistogram(reader.message("Histogram"), series, labels, into);
    else reader.skip();
  }
}

/** A Label message. */
function readLabel(reader: ProtobufReader, flat: string[]): void {
  let name = "";
  let value = "";
  const outer = reader.enter();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.text();
    else if (field === 2) value = reader.text();
    else reader.skip();
  }
  reader.leave(outer);
  flat.push(name, value);
}

function readExemplar(reader: ProtobufReader, series: number, into: MetricBatchBuilder): void {
  const flat: string[] = [];
  let value = 0;
  let timeMs = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readLabel(reader, flat);
    else if (field === 2) value = reader.double();
    else if (field === 3) timeMs = Number(reader.int64());
    else reader.skip();
  }
  into.exemplar(series, { labels: exemplarLabels(flat), value, timeMs });
}

/** Labels of an exemplar, which needs no metric name. */
export function exemplarLabels(flat: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? "", flat[i + 1] ?? ""]);
  return LabelSet.fromPairs(pairs).toMap();
}

function readMetadata(reader: ProtobufReader, into: MetricBatchBuilder): void {
  let type = 0;
  let family = "";
  let help = "";
  let unit = "";
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) type = reader.int32();
    else if (field === 2) family = reader.text();
    else if (field === 4) help = reader.text();
    else if (field === 5) unit = reader.text();
    else reader.skip();
  }
  if (family !== "") into.metadata(family, { type: metricTypes[type] ?? "unknown", help, unit });
}
