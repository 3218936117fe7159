/**
 * Remote write 2.0: `io.prometheus.write.v2.Request`. Every text stands once in a table of symbols, series refer to them by
 * index. Start times of counters are read over: nothing here is reckoned from them. Source: prompb/io/prometheus/write/v2.
 */
import { metricNameLabel } from "@skopos/model";
import { IngestError } from "../errors.ts";
import type { MetricBatchBuilder } from "../metric-batch/batch.ts";
import type { ProtobufReader } from "../wire/protobuf.ts";
import { exemplarLabels } from "./request-v1.ts";
import type { SeriesShortcut } from "./series-shortcut.ts";
import { labelsFrom, metricTypes, readHistogram, readSample } from "./series.ts";

const symbolsMax = 2_000_000;
/** References of one series or exemplar: two for each label. */
const referencesMax = 1024;

/** The table of symbols: texts are decoded when they are first asked for. */
class Symbols {
  readonly #reader: ProtobufReader;
  /** Symbol i is the bytes [bounds[2i], bounds[2i + 1]) of the request. */
  readonly bounds: number[] = [];
  readonly #texts: (string | undefined)[] = [];

  constructor(reader: ProtobufReader) {
    this.#reader = reader;
  }

  get length(): number {
    return this.bounds.length / 2;
  }

  /** Undefined beyond the table. */
  at(index: number): string | undefined {
    const end = this.bounds[2 * index + 1];
    if (end === undefined) return undefined;
    return (this.#texts[index] ??= this.#reader.textWithin(this.bounds[2 * index] ?? 0, end));
  }
}

export function readWriteRequestV2(
  reader: ProtobufReader,
  into: MetricBatchBuilder,
  shortcut: SeriesShortcut,
): void {
  const symbols = new Symbols(reader);
  // Symbols come first from most senders, but protobuf promises no order.
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 4) reader.skip();
    else {
      const start = reader.span();
      symbols.bounds.push(start, reader.position);
      if (symbols.length > symbolsMax)
        throw new IngestError("too-large", `more than ${symbolsMax} symbols in one request`);
    }
  }
  shortcut.openSymbols(symbols.bounds);
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 5) {
      reader.skip();
      continue;
    }
    const start = reader.span();
    const end = reader.position;
    if (shortcut.takeSymbols(start, end, into)) {
      const metadata = shortcut.newMetadata();
      if (!metadata) continue;
      const message = reader.within("Metadata", metadata.start, metadata.end);
      readMetadata(message, symbols.at(metadata.name) ?? "", symbols, into);
    } else readTimeSeries(reader.within("TimeSeries", start, end), symbols, into, shortcut);
  }
}

function readTimeSeries(
  reader: ProtobufReader,
  symbols: Symbols,
  into: MetricBatchBuilder,
  shortcut: SeriesShortcut,
): void {
  const references: number[] = [];
  let points = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readReferences(reader, references);
    else {
      if (field === 2 || field === 3) points++;
      reader.skip();
    }
  }
  const flat = textsOf(references, symbols);
  const labels = typeof flat === "string" ? flat : labelsFrom(flat, into.limits);
  if (typeof labels === "string") return into.reject(points, labels);
  if (points === 0)
    return into.reject(1, `series ${String(labels)} has neither samples nor histograms`);
  const series = into.series(labels);
  shortcut.missed(series);
  reader.rewind();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) readSample(reader, series, into);
    else if (field === 3) readHistogram(reader.message("Histogram"), series, labels, into);
    else if (field === 4) readExemplar(reader.message("Exemplar"), series, symbols, into);
    else if (field === 5)
      readMetadata(reader.message("Metadata"), labels.get(metricNameLabel), symbols, into);
    else reader.skip();
  }
}

function readReferences(reader: ProtobufReader, into: number[]): void {
  reader.numbers(into, referencesMax, 0, (each) => each.int32());
}

/** Names and values in turn, or why there are none. */
function textsOf(references: readonly number[], symbols: Symbols): string[] | string {
  if (references.length % 2 !== 0) return `a series has ${references.length} label references`;
  const flat: string[] = [];
  for (const reference of references) {
    const text = symbols.at(reference);
    if (text === undefined)
      return `a label refers to symbol ${reference} of a table of ${symbols.length}`;
    flat.push(text);
  }
  return flat;
}

function readExemplar(
  reader: ProtobufReader,
  series: number,
  symbols: Symbols,
  into: MetricBatchBuilder,
): void {
  const references: number[] = [];
  let value = 0;
  let timeMs = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) readReferences(reader, references);
    else if (field === 2) value = reader.double();
    else if (field === 3) timeMs = Number(reader.int64());
    else reader.skip();
  }
  const flat = textsOf(references, symbols);
  if (typeof flat === "string") into.reject(0, `exemplar: ${flat}`);
  else into.exemplar(series, { labels: exemplarLabels(flat), value, timeMs });
}

const familySuffixes: Readonly<Record<string, RegExp>> = {
  histogram: /_(bucket|count|sum)$/,
  gaugehistogram: /_(bucket|gcount|gsum)$/,
  summary: /_(count|sum)$/,
};

/** Metadata comes with every series of a family; its parts share the family's name. */
function readMetadata(
  reader: ProtobufReader,
  name: string,
  symbols: Symbols,
  into: MetricBatchBuilder,
): void {
  let kind = 0;
  let help = 0;
  let unit = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) kind = reader.int32();
    else if (field === 3) help = reader.int32();
    else if (field === 4) unit = reader.int32();
    else reader.skip();
  }
  const type = metricTypes[kind] ?? "unknown";
  if (kind === 0 && help === 0 && unit === 0) return;
  const suffix = familySuffixes[type];
  const family = suffix ? name.replace(suffix, "") : name;
  into.metadata(family, { type, help: symbols.at(help) ?? "", unit: symbols.at(unit) ?? "" });
}
