/** A native histogram that is told from others by its count. */
import type { NativeHistogram } from "@skopos/model";

export function histogramOf(count: number): NativeHistogram {
  return {
    schema: count % 2 === 0 ? -53 : 3,
    count,
    sum: count / 3,
    zeroThreshold: 2 ** -128,
    zeroCount: count % 5,
    positiveSpans: [
      { offset: -2, length: 2 },
      { offset: 1000, length: 1 },
    ],
    positiveBuckets: [count, 0.5, 1e300],
    negativeSpans: [{ offset: 1, length: 1 }],
    negativeBuckets: [count + 1],
    customValues: count % 2 === 0 ? [0.1, count] : [],
    counterReset: (["unknown", "reset", "not-reset", "gauge"] as const)[count % 4] ?? "unknown",
  };
}
