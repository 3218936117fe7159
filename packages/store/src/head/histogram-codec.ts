/** A native histogram as bytes, in metric frames and in the head's memory (docs/format/metrics-frame.md). */
import type { NativeHistogram } from "@skopos/model";
import { badFrame, type FrameReader, type FrameWriter } from "./frame-bytes.ts";

const resets = ["unknown", "reset", "not-reset", "gauge"] as const;

type Spans = NativeHistogram["positiveSpans"];

export function writeHistogram(to: FrameWriter, histogram: NativeHistogram): void {
  to.signed(histogram.schema);
  to.byte(resets.indexOf(histogram.counterReset));
  const { count, sum, zeroThreshold, zeroCount } = histogram;
  to.values(Float64Array.of(count, sum, zeroThreshold, zeroCount), 4);
  writeSpans(to, histogram.positiveSpans);
  writeNumbers(to, histogram.positiveBuckets);
  writeSpans(to, histogram.negativeSpans);
  writeNumbers(to, histogram.negativeBuckets);
  writeNumbers(to, histogram.customValues);
}

function writeSpans(to: FrameWriter, spans: Spans): void {
  to.varint(spans.length);
  for (const { offset, length } of spans) {
    to.signed(offset);
    to.varint(length);
  }
}

function writeNumbers(to: FrameWriter, numbers: readonly number[]): void {
  to.varint(numbers.length);
  to.values(Float64Array.from(numbers), numbers.length);
}

/** Throws `bad-frame`. */
export function readHistogram(from: FrameReader): NativeHistogram {
  const schema = from.signed();
  const counterReset = resets[from.byte()];
  if (counterReset === undefined) throw badFrame("a histogram of an unknown kind");
  const [count = 0, sum = 0, zeroThreshold = 0, zeroCount = 0] = readValues(from, 4);
  return {
    schema,
    counterReset,
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positiveSpans: readSpans(from),
    positiveBuckets: readValues(from, from.count()),
    negativeSpans: readSpans(from),
    negativeBuckets: readValues(from, from.count()),
    customValues: readValues(from, from.count()),
  };
}

function readSpans(from: FrameReader): Spans {
  return Array.from({ length: from.count() }, () => ({
    offset: from.signed(),
    length: from.varint(),
  }));
}

function readValues(from: FrameReader, count: number): number[] {
  const values = new Float64Array(count);
  from.values(values, count);
  return [...values];
}
