/**
 * Prometheus remote write 1.0 (`prometheus.WriteRequest`, snappy) to columns, and from there to the sample sink. The whole
 * request is read before the first sample is written, so a bad one leaves nothing behind.
 * Source: prometheus.io/docs/specs/prw/remote_write_spec; prompb/types.proto. Native histograms and exemplars are counted and
 * left out for now.
 */
import {
  type AppendOutcome,
  LabelSet,
  metricNameLabel,
  type SampleSink,
  writeNaN,
} from "@skopos/model";
import { IngestError } from "../errors.ts";
import { bodyMaxDefault } from "../wire/body.ts";
import { ProtobufReader } from "../wire/protobuf.ts";
import { inflateSnappy } from "../wire/snappy.ts";

export interface RemoteWriteHeaders {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
}

/** Sample k belongs to `series[seriesOf[k]]`. Values keep their NaN payload. */
export interface RemoteWriteSamples {
  readonly series: readonly LabelSet[];
  readonly seriesOf: Uint32Array;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
  readonly histograms: number;
  readonly exemplars: number;
}

export interface RemoteWriteLimits {
  readonly bodyMax: number;
  readonly samples: number;
  readonly labels: number;
  readonly labelChars: number;
}

export const remoteWriteLimits: RemoteWriteLimits = {
  bodyMax: bodyMaxDefault,
  samples: 1_000_000,
  labels: 64,
  labelChars: 4096,
};

/** Throws "bad-protobuf", "bad-snappy", "bad-labels", "too-large", "unsupported-media-type". */
export function decodeRemoteWrite(
  body: Uint8Array,
  headers: RemoteWriteHeaders,
  limits: RemoteWriteLimits = remoteWriteLimits,
): RemoteWriteSamples {
  checkHeaders(headers);
  const bytes = inflateSnappy(body, limits.bodyMax);
  const columns = new Columns(limits);
  const reader = new ProtobufReader(bytes, "WriteRequest");
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) columns.timeSeries(reader.message("TimeSeries"));
    else reader.skip();
  }
  return columns.finish();
}

function checkHeaders({ contentType, contentEncoding }: RemoteWriteHeaders): void {
  const [type = "", ...parameters] = (contentType ?? "application/x-protobuf")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const proto = parameters.find((parameter) => parameter.startsWith("proto="));
  if (type !== "application/x-protobuf" || (proto && proto !== "proto=prometheus.writerequest"))
    throw new IngestError(
      "unsupported-media-type",
      `cannot read ${JSON.stringify(contentType)}: remote write 1.0 sends application/x-protobuf`,
    );
  const encoding = (contentEncoding ?? "snappy").trim().toLowerCase();
  if (encoding !== "snappy")
    throw new IngestError(
      "unsupported-media-type",
      `cannot read content encoding ${JSON.stringify(encoding)}: remote write uses snappy`,
    );
}

class Columns {
  readonly #limits: RemoteWriteLimits;
  readonly #series: LabelSet[] = [];
  #seriesOf = new Uint32Array(1024);
  #timesMs = new Float64Array(1024);
  #values = new Float64Array(1024);
  #count = 0;
  #histograms = 0;
  #exemplars = 0;

  constructor(limits: RemoteWriteLimits) {
    this.#limits = limits;
  }

  timeSeries(reader: ProtobufReader): void {
    const pairs: (readonly [string, string])[] = [];
    const index = this.#series.length;
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) pairs.push(this.#label(reader.message("Label")));
      else if (field === 2) this.#sample(reader.message("Sample"), index);
      else {
        if (field === 3) this.#exemplars++;
        if (field === 4) this.#histograms++;
        reader.skip();
      }
    }
    if (pairs.length > this.#limits.labels) fail(`a series has ${pairs.length} labels`);
    const labels = LabelSet.fromPairs(pairs);
    if (!labels.has(metricNameLabel)) fail(`series ${String(labels)} has no metric name`);
    if (labels.size !== pairs.filter(([, value]) => value !== "").length)
      fail(`series ${String(labels)} has a label twice`);
    this.#series.push(labels);
  }

  #label(reader: ProtobufReader): readonly [string, string] {
    let name = "";
    let value = "";
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) name = reader.text();
      else if (field === 2) value = reader.text();
      else reader.skip();
    }
    if (name === "") fail("a label has no name");
    if (name.length > this.#limits.labelChars || value.length > this.#limits.labelChars)
      fail(`label ${name.slice(0, 64)} is longer than ${this.#limits.labelChars} characters`);
    return [name, value];
  }

  #sample(reader: ProtobufReader, series: number): void {
    if (this.#count >= this.#limits.samples)
      throw new IngestError(
        "too-large",
        `more than ${this.#limits.samples} samples in one request: lower max_samples_per_send`,
      );
    let bits = { high: 0, low: 0 };
    let timeMs = 0n;
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) bits = reader.doubleBits();
      else if (field === 2) timeMs = reader.int64();
      else reader.skip();
    }
    if (this.#count === this.#values.length) this.#grow();
    this.#seriesOf[this.#count] = series;
    this.#timesMs[this.#count] = Number(timeMs);
    writeNaN(this.#values, this.#count, bits);
    this.#count++;
  }

  #grow(): void {
    const size = this.#count * 2;
    const seriesOf = new Uint32Array(size);
    const timesMs = new Float64Array(size);
    const values = new Float64Array(size);
    seriesOf.set(this.#seriesOf);
    timesMs.set(this.#timesMs);
    values.set(this.#values);
    this.#seriesOf = seriesOf;
    this.#timesMs = timesMs;
    this.#values = values;
  }

  finish(): RemoteWriteSamples {
    return {
      series: this.#series,
      seriesOf: this.#seriesOf.subarray(0, this.#count),
      timesMs: this.#timesMs.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
      histograms: this.#histograms,
      exemplars: this.#exemplars,
    };
  }
}

function fail(reason: string): never {
  throw new IngestError("bad-labels", `remote write: ${reason}`);
}

export interface RemoteWriteOutcome extends AppendOutcome {
  /** Samples of series that the store's series limit refused. */
  readonly refused: number;
}

/** Writes decoded samples to the group of `sender`, one page per time, oldest first. */
export function writeRemoteSamples(
  samples: RemoteWriteSamples,
  sink: SampleSink,
  sender: string,
): RemoteWriteOutcome {
  const group = sink.openGroup(`remote-write ${sender}`);
  const refs = samples.series.map((labels) => sink.series(group, labels));
  const count = samples.values.length;
  const order = Uint32Array.from({ length: count }, (_, k) => k).sort(
    (a, b) => (samples.timesMs[a] ?? 0) - (samples.timesMs[b] ?? 0),
  );
  const pageRefs = new Uint32Array(count);
  const pageValues = new Float64Array(count);
  const total = { appended: 0, tooOld: 0, duplicates: 0, conflicting: 0, refused: 0 };
  let size = 0;
  for (let i = 0; i < count; i++) {
    const k = order[i] ?? 0;
    const ref = refs[samples.seriesOf[k] ?? 0];
    if (ref === undefined) total.refused++;
    else {
      pageRefs[size] = ref;
      // Bytes, not the number: a staleness marker is a NaN with a payload.
      copyDouble(samples.values, k, pageValues, size++);
    }
    const timeMs = samples.timesMs[k] ?? 0;
    const last = i + 1 === count || samples.timesMs[order[i + 1] ?? 0] !== timeMs;
    if (!last || size === 0) continue;
    const outcome = sink.appendPage(group, timeMs, pageRefs, pageValues, size);
    total.appended += outcome.appended;
    total.tooOld += outcome.tooOld;
    total.duplicates += outcome.duplicates;
    total.conflicting += outcome.conflicting;
    size = 0;
  }
  return total;
}

function copyDouble(from: Float64Array, i: number, to: Float64Array, j: number): void {
  to.set(from.subarray(i, i + 1), j);
}
