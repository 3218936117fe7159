/** The histogram_* functions: classic histograms, native ones, and vectors that hold both. */
import { metricNameLabel, type NativeHistogram, type LabelSet } from "@skopos/model";
import type { Annotations } from "./annotations.ts";
import { absent, concatenate, float, type Frame, histogram } from "./frame.ts";
import { nativeFraction, nativeQuantile, nativeVariance } from "./histogram-statistics.ts";
import type { HistogramCall } from "./histogram-quantile.ts";
import { dropNames, joinEqualLabels } from "./names.ts";

/** One number per histogram; floats have none. */
export const histogramValues: Readonly<Record<string, (held: NativeHistogram) => number>> = {
  histogram_count: ({ count }) => count,
  histogram_sum: ({ sum }) => sum,
  histogram_avg: ({ sum, count }) => sum / count,
  histogram_stdvar: nativeVariance,
  histogram_stddev: (held) => Math.sqrt(nativeVariance(held)),
};

/** Only cells that hold a histogram; `compute` may differ from step to step. Names stay. */
export function mapHistogramCells(
  input: Frame,
  compute: (held: NativeHistogram, t: number, labels: LabelSet) => number,
): Frame {
  const values = new Float64Array(input.values.length);
  const present = new Uint8Array(input.present.length);
  for (const [cell, held] of input.histograms ?? []) {
    if (input.present[cell] !== histogram) continue;
    const labels = input.raw.at(Math.floor(cell / input.steps));
    values[cell] = compute(held, cell % input.steps, labels);
    present[cell] = float;
  }
  return input.with({ values, present, histograms: undefined });
}

/** histogram_quantile of native histograms. */
export function nativeQuantiles(input: Frame, q: Float64Array, call: HistogramCall): Frame {
  return mapHistogramCells(input, (held, t, labels) => {
    const value = nativeQuantile(q[t] ?? NaN, held);
    if (Number.isNaN(held.sum) && held.count > 0 && (q[t] ?? NaN) >= 0 && (q[t] ?? NaN) <= 1)
      noteNaN(
        call,
        labels,
        "histogram_quantile",
        Number.isNaN(value) ? "result is NaN" : "result is skewed higher",
      );
    return value;
  });
}

export function nativeFractions(
  input: Frame,
  lower: Float64Array,
  upper: Float64Array,
  call: HistogramCall,
): Frame {
  return mapHistogramCells(input, (held, t, labels) => {
    if (Number.isNaN(held.sum))
      noteNaN(call, labels, "histogram_fraction", "which are excluded from all fractions");
    return nativeFraction(lower[t] ?? NaN, upper[t] ?? NaN, held);
  });
}

function noteNaN(
  { span, annotations }: { span: HistogramCall["span"]; annotations: Annotations },
  labels: LabelSet,
  fn: string,
  consequence: string,
): void {
  const name = JSON.stringify(labels.get(metricNameLabel));
  annotations.info(
    span,
    `input to ${fn} has NaN observations, ${consequence} for metric name ${name}`,
  );
}

/** Joins the results for classic and for native histograms; where both claim the same labels neither stands. */
export function joinKinds(classic: Frame, native: Frame, input: Frame, call: HistogramCall): Frame {
  const named = dropNames(native, call.delayed);
  if (classic.series === 0) return named;
  const { steps } = input;
  const rowOf = new Map(native.labels.map((labels, s) => [labels.key, s]));
  const classicPresent = classic.present.slice();
  const nativePresent = named.present.slice();
  classic.rawLabels.forEach((labels, s) => {
    const other = rowOf.get(labels.key);
    if (other === undefined) return;
    for (let t = 0; t < steps; t++) {
      if (classicPresent[s * steps + t] === absent || nativePresent[other * steps + t] === absent)
        continue;
      classicPresent[s * steps + t] = absent;
      nativePresent[other * steps + t] = absent;
      const name = JSON.stringify(labels.get(metricNameLabel));
      call.annotations.warn(
        call.span,
        `vector contains a mix of classic and native histograms for metric name ${name}`,
      );
    }
  });
  const frames = [
    classic.with({ present: classicPresent }),
    named.with({ present: nativePresent }),
  ];
  return joinEqualLabels(concatenate(frames, steps));
}
