/**
 * Fetched samples made ready for operators: holes are gone, so sample i of series s lies at `values[base[s] + i]` with the
 * time `timesOf(s)[i]`, i < length[s]. Series without holes keep the time column they share with others, and so share window
 * bounds; the others get a column of their own.
 */
import {
  absentNaN,
  highWord,
  lowWord,
  type NativeHistogram,
  type SeriesBlock,
  staleNaN,
} from "@skopos/model";
import { SeriesLabels } from "./series-labels.ts";

export interface Columns {
  readonly labels: SeriesLabels;
  readonly times: readonly Float64Array[];
  /** Index into `times`. */
  readonly timesOf: Uint32Array;
  readonly values: Float64Array;
  readonly base: Uint32Array;
  readonly length: Uint32Array;
  /** By index into `values`. */
  readonly histograms: ReadonlyMap<number, NativeHistogram> | undefined;
  /** Per series, for results of subqueries: the name is to be dropped at the end. */
  readonly dropName?: Uint8Array | undefined;
  /** Whether any staleness marker is among the values. */
  readonly hasStale: boolean;
}

/** Bit patterns to look for; both markers share the high word. */
const markerHigh = absentNaN.high;

export function columnsOf(block: SeriesBlock): Columns {
  return compact(
    {
      labels: SeriesLabels.ofBlock(block),
      times: block.times,
      timesOf: block.timesOf,
      values: block.values,
      base: block.offsets.subarray(0, block.offsets.length - 1),
      length: lengths(block),
      histograms: block.histograms,
      hasStale: false,
    },
    absentNaN.low,
  );
}

/** Without staleness markers: range windows pass over them. */
export function withoutStale(columns: Columns): Columns {
  return columns.hasStale ? compact(columns, staleNaN.low) : columns;
}

function lengths(block: SeriesBlock): Uint32Array {
  const length = new Uint32Array(block.offsets.length - 1);
  for (let s = 0; s < length.length; s++)
    length[s] = (block.offsets[s + 1] ?? 0) - (block.offsets[s] ?? 0);
  return length;
}

/** Removes the samples with the given marker. Series that have none are left where they are. */
function compact(columns: Columns, low: number): Columns {
  const { values, base } = columns;
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const holed: number[] = [];
  let hasStale = false;
  for (let s = 0; s < base.length; s++) {
    const from = base[s] ?? 0;
    const to = from + (columns.length[s] ?? 0);
    let holes = false;
    for (let i = from; i < to; i++) {
      if (words[i * 2 + highWord] !== markerHigh) continue;
      const word = words[i * 2 + lowWord];
      if (word === low) holes = true;
      else if (word === staleNaN.low) hasStale = true;
    }
    if (holes) holed.push(s);
  }
  return holed.length === 0 ? { ...columns, hasStale } : rewrite(columns, holed, low, hasStale);
}

function rewrite(columns: Columns, holed: number[], low: number, hasStale: boolean): Columns {
  let extra = 0;
  for (const s of holed) extra += columns.length[s] ?? 0;
  const size = columns.values.length;
  const values = new Float64Array(size + extra);
  values.set(columns.values);
  const words = new Uint32Array(values.buffer);
  const times = [...columns.times];
  const timesOf = columns.timesOf.slice();
  const base = columns.base.slice();
  const length = columns.length.slice();
  const histograms = columns.histograms && new Map(columns.histograms);
  let at = size;
  for (const s of holed) {
    const from = columns.base[s] ?? 0;
    const column = columns.times[columns.timesOf[s] ?? 0];
    const kept = new Float64Array(columns.length[s] ?? 0);
    const start = at;
    for (let i = 0; i < kept.length; i++) {
      const j = (from + i) * 2;
      if (words[j + highWord] === markerHigh && words[j + lowWord] === low) continue;
      kept[at - start] = column?.[i] ?? NaN;
      // Words, because copying a double may lose a NaN's payload.
      words[at * 2] = words[j] ?? 0;
      words[at * 2 + 1] = words[j + 1] ?? 0;
      const held = columns.histograms?.get(from + i);
      if (held) histograms?.set(at, held);
      at += 1;
    }
    timesOf[s] = times.length;
    times.push(kept.subarray(0, at - start));
    base[s] = start;
    length[s] = at - start;
  }
  return { ...columns, times, timesOf, values, base, length, histograms, hasStale };
}
