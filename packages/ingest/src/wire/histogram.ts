/**
 * Writes the `Histogram` message, whose field numbers are the same in remote read, remote write 1.0 and 2.0: whole counts as
 * deltas between buckets, others as they are. Source: prompb/types.proto, prompb/io/prometheus/write/v2/types.proto.
 */
import type { NativeHistogram } from "@skopos/model";
import { histogramFault } from "../metric-batch/native-histogram.ts";
import type { ProtobufBuffer } from "./protobuf-buffer.ts";

type Span = NativeHistogram["positiveSpans"][number];
const resetHints = ["unknown", "reset", "not-reset", "gauge"] as const;

/** `field` is that of the message around it. */
export function writeRemoteHistogram(
  out: ProtobufBuffer,
  field: number,
  timeMs: number,
  histogram: NativeHistogram,
): void {
  const message = out.begin(field);
  // What was counted in whole numbers adds up, which receivers check.
  const whole = isWhole(histogram) && histogramFault(histogram, true) === "";
  if (whole) out.int(1, histogram.count);
  else out.double(2, histogram.count);
  out.double(3, histogram.sum);
  out.sint(4, histogram.schema);
  out.double(5, histogram.zeroThreshold);
  if (whole) out.int(6, histogram.zeroCount);
  else out.double(7, histogram.zeroCount);
  writeSpans(out, 8, histogram.negativeSpans);
  writeBuckets(out, whole ? 9 : 10, histogram.negativeBuckets, whole);
  writeSpans(out, 11, histogram.positiveSpans);
  writeBuckets(out, whole ? 12 : 13, histogram.positiveBuckets, whole);
  out.int(14, resetHints.indexOf(histogram.counterReset));
  out.int(15, timeMs);
  writeBuckets(out, 16, histogram.customValues, false);
  out.end(message);
}

function isWhole({ count, zeroCount, positiveBuckets, negativeBuckets }: NativeHistogram): boolean {
  return [count, zeroCount, ...positiveBuckets, ...negativeBuckets].every(Number.isSafeInteger);
}

function writeSpans(out: ProtobufBuffer, field: number, spans: readonly Span[]): void {
  for (const { offset, length } of spans) {
    const span = out.begin(field);
    out.sint(1, offset);
    out.int(2, length);
    out.end(span);
  }
}

/** Packed. */
function writeBuckets(
  out: ProtobufBuffer,
  field: number,
  buckets: readonly number[],
  deltas: boolean,
): void {
  if (buckets.length === 0) return;
  const packed = out.begin(field);
  let before = 0;
  for (const count of buckets) {
    if (deltas) out.packedSint(count - before);
    else out.packedDouble(count);
    before = count;
  }
  out.end(packed);
}
