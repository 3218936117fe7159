/**
 * What is sent on, in the order in which it came, and the series of one request. A request lists a series once, but for one
 * that changes between samples and histograms, which receivers take in this order only: it begins anew at each change.
 */
import type { Exemplar, LabelSet, NativeHistogram } from "@skopos/model";

/** Samples of one time. Values keep their NaN payload. */
export interface SamplePage {
  readonly type: "page";
  readonly timeMs: number;
  readonly labels: readonly LabelSet[];
  readonly values: Float64Array;
}

interface OutgoingHistogram {
  readonly type: "histogram";
  readonly timeMs: number;
  readonly labels: LabelSet;
  readonly histogram: NativeHistogram;
}

interface OutgoingExemplar {
  readonly type: "exemplar";
  readonly labels: LabelSet;
  readonly exemplar: Exemplar;
}

export type OutgoingItem = SamplePage | OutgoingHistogram | OutgoingExemplar;

/** Samples and histograms; exemplars come on top. */
export function pointsOf(item: OutgoingItem): number {
  return item.type === "page" ? item.labels.length : item.type === "histogram" ? 1 : 0;
}

/** One `TimeSeries` of a request: samples or histograms, and exemplars. */
export interface OutgoingSeries {
  readonly labels: LabelSet;
  /** Sample k is value `indexes[k]` of page `pages[k]`. */
  readonly pages: SamplePage[];
  readonly indexes: number[];
  readonly histograms: OutgoingHistogram[];
  readonly exemplars: Exemplar[];
}

export function seriesOf(items: readonly OutgoingItem[]): OutgoingSeries[] {
  const all: OutgoingSeries[] = [];
  const latest = new Map<string, OutgoingSeries>();
  const begin = (labels: LabelSet): OutgoingSeries => {
    const series = { labels, pages: [], indexes: [], histograms: [], exemplars: [] };
    latest.set(labels.key, series);
    all.push(series);
    return series;
  };
  for (const item of items) {
    if (item.type === "page")
      for (const [i, labels] of item.labels.entries()) {
        let series = latest.get(labels.key) ?? begin(labels);
        if (series.histograms.length > 0) series = begin(labels);
        series.pages.push(item);
        series.indexes.push(i);
      }
    else {
      let series = latest.get(item.labels.key) ?? begin(item.labels);
      if (item.type === "exemplar") series.exemplars.push(item.exemplar);
      else {
        if (series.pages.length > 0) series = begin(item.labels);
        series.histograms.push(item);
      }
    }
  }
  return all;
}
