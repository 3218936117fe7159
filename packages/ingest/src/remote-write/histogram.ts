/**
 * The `Histogram` message of remote write, whose field numbers are the same in 1.0 and 2.0. Whole counts come as deltas
 * between buckets, float counts as they are. Source: prompb/types.proto, prompb/io/prometheus/write/v2/types.proto.
 */
import { type NativeHistogram, staleNaN } from "@skopos/model";
import { bucketsMax, histogramFault } from "../metric-batch/native-histogram.ts";
import type { ProtobufReader } from "../wire/protobuf.ts";

type Span = NativeHistogram["positiveSpans"][number];
const resetHints = ["unknown", "reset", "not-reset", "gauge"] as const;

export type RemoteHistogram = { readonly timeMs: number } & (
  | { readonly kind: "histogram"; readonly histogram: NativeHistogram }
  | { readonly kind: "stale" }
  | { readonly kind: "bad"; readonly reason: string }
);

class HistogramDraft {
  timeMs = 0;
  integer = true;
  stale = false;
  sum = 0;
  schema = 0;
  zeroThreshold = 0;
  count = 0;
  zeroCount = 0;
  resetHint = 0;
  readonly customValues: number[] = [];
  readonly positive = new SideDraft();
  readonly negative = new SideDraft();

  finish(): RemoteHistogram {
    const { timeMs, positive, negative, integer } = this;
    if (this.stale) return { kind: "stale", timeMs };
    const histogram: NativeHistogram = {
      schema: this.schema,
      count: this.count,
      sum: this.sum,
      zeroThreshold: this.zeroThreshold,
      zeroCount: this.zeroCount,
      positiveSpans: positive.spans,
      positiveBuckets: positive.buckets(integer),
      negativeSpans: negative.spans,
      negativeBuckets: negative.buckets(integer),
      customValues: this.customValues,
      counterReset: resetHints[this.resetHint] ?? "unknown",
    };
    const reason = histogramFault(histogram, integer);
    return reason === ""
      ? { kind: "histogram", timeMs, histogram }
      : { kind: "bad", timeMs, reason };
  }
}

class SideDraft {
  readonly spans: Span[] = [];
  readonly deltas: number[] = [];
  readonly counts: number[] = [];

  buckets(integer: boolean): readonly number[] {
    if (!integer) return this.counts;
    let count = 0;
    return this.deltas.map((delta) => (count += delta));
  }
}

/** Throws "bad-protobuf"; what is readable but no histogram is told as "bad". */
export function readRemoteHistogram(reader: ProtobufReader): RemoteHistogram {
  const draft = new HistogramDraft();
  for (let field = reader.next(); field !== 0; field = reader.next())
    if (!readScalar(reader, field, draft) && !readBuckets(reader, field, draft)) reader.skip();
  return draft.finish();
}

function readScalar(reader: ProtobufReader, field: number, draft: HistogramDraft): boolean {
  if (field === 1) draft.count = Number(reader.uint64());
  else if (field === 2) {
    draft.count = reader.double();
    draft.integer = false;
  } else if (field === 3) readSum(reader, draft);
  else if (field === 4) draft.schema = Number(reader.sint64());
  else if (field === 5) draft.zeroThreshold = reader.double();
  else if (field === 6) draft.zeroCount = Number(reader.uint64());
  else if (field === 7) {
    draft.zeroCount = reader.double();
    draft.integer = false;
  } else if (field === 14) draft.resetHint = reader.int32();
  else if (field === 15) draft.timeMs = Number(reader.int64());
  else return false;
  return true;
}

function readBuckets(reader: ProtobufReader, field: number, draft: HistogramDraft): boolean {
  const side = field >= 11 ? draft.positive : draft.negative;
  if (field === 8 || field === 11) readSpan(reader.message("BucketSpan"), side.spans);
  else if (field === 9 || field === 12)
    reader.numbers(side.deltas, bucketsMax, 0, (each) => Number(each.sint64()));
  else if (field === 10 || field === 13)
    reader.numbers(side.counts, bucketsMax, 1, (each) => each.double());
  else if (field === 16) reader.numbers(draft.customValues, bucketsMax, 1, (each) => each.double());
  else return false;
  return true;
}

function readSum(reader: ProtobufReader, draft: HistogramDraft): void {
  const bits = reader.doubleBits();
  draft.stale = bits.high === staleNaN.high && bits.low === staleNaN.low;
  const words = Buffer.alloc(8);
  words.writeUInt32LE(bits.low, 0);
  words.writeUInt32LE(bits.high, 4);
  draft.sum = words.readDoubleLE(0);
}

function readSpan(reader: ProtobufReader, spans: Span[]): void {
  let offset = 0;
  let length = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) offset = Number(reader.sint64());
    else if (field === 2) length = Number(reader.uint64());
    else reader.skip();
  }
  if (spans.length < bucketsMax) spans.push({ offset, length });
}
