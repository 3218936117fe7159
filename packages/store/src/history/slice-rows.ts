/**
 * From a block of series, all of one slice, to rows of the history's tables. What is the same for many series is made
 * once: a time column and its roll-up once per block, a base's hash once per run of series that have it, its labels once
 * a day.
 */
import { createHash } from "node:crypto";
import {
  type LabelSet,
  metricNameLabel,
  type NativeHistogram,
  type SeriesBlock,
} from "@skopos/model";
import { TsvRows } from "../clickhouse/tsv-rows.ts";
import { f64, isAbsent, u32, wordsOf } from "../head/cells.ts";
import { histogramText } from "./histogram-text.ts";
import { isPlain, plainRows, RowChooser } from "./rollup.ts";
import { bucketLabel, sliceMs, slicesPerDay } from "./schema.ts";
import { SliceEncoder } from "./slice-codec.ts";

/** Columns of rows as `SliceRows` writes them. */
export const sliceColumns = [
  "name",
  "base",
  "le",
  "slice",
  "version",
  "first_ms",
  "last_ms",
  "samples",
  "times",
  "data",
  "histograms",
] as const;
export const timesColumns = ["slice", "times", "data"] as const;
export const basesColumns = ["day", "base", "labels"] as const;

/** A series' place in the tables: its name, its bucket bound, and the rest of its labels as a hash. */
interface SeriesKey {
  readonly name: string;
  readonly le: string;
  readonly base: string;
}

/** A time column of the block at hand. */
interface TimeColumn {
  readonly times: Float64Array;
  readonly id: string;
  readonly plain: Uint32Array;
  /** Made when the first series needs it. */
  plainTimes: { readonly times: Float64Array; readonly id: string } | undefined;
}

/** The samples of one series, of a slice or of its roll-up. */
interface Samples {
  readonly times: Float64Array;
  readonly timesId: string;
  readonly words: Uint32Array;
  readonly from: number;
  readonly histograms: readonly (readonly [number, NativeHistogram])[];
}

export class SliceRows {
  readonly slices = new TsvRows();
  readonly rollups = new TsvRows();
  readonly times = new TsvRows();
  readonly bases = new TsvRows();
  readonly #slice: number;
  readonly #version: number;
  /** Bases whose labels this slice's day has. Bounded by the series of the head. */
  readonly #knownBases: Set<string>;
  readonly #knownTimes = new Set<string>();
  readonly #encoder = new SliceEncoder();
  readonly #chooser = new RowChooser();
  #scratch = new Float64Array(1024);
  #lastLabels: readonly string[] = [];
  #lastBase: string | undefined;
  samples = 0;

  /** `version` grows whenever the slice is written again. */
  constructor(slice: number, version: number, knownBases: Set<string>) {
    this.#slice = slice;
    this.#version = version;
    this.#knownBases = knownBases;
  }

  get sizeBytes(): number {
    return this.slices.sizeBytes + this.rollups.sizeBytes + this.bases.sizeBytes;
  }

  /** Series of the block must have samples of this slice only. Series without any are passed over. */
  add(block: SeriesBlock): void {
    const columns = block.times.map((times): TimeColumn | undefined =>
      times.length === 0
        ? undefined
        : { times, id: this.#timesId(times), plain: plainRows(times), plainTimes: undefined },
    );
    const words = wordsOf(block.values);
    const histograms = bySeries(block);
    for (const [i, labels] of block.labels.entries()) {
      const column = columns[block.timesOf[i] ?? 0];
      if (!column) continue;
      const from = block.offsets[i] ?? 0;
      const key = this.#keyOf(labels);
      const own = histograms?.get(i) ?? [];
      const { times, id } = column;
      const wrote = this.#row(this.slices, key, {
        times,
        timesId: id,
        words,
        from,
        histograms: own,
      });
      if (wrote === 0) continue;
      this.samples += wrote;
      this.#addRollup(key, column, block.values, words, from, own);
    }
  }

  #addRollup(
    key: SeriesKey,
    column: TimeColumn,
    values: Float64Array,
    words: Uint32Array,
    from: number,
    histograms: Samples["histograms"],
  ): void {
    const { times } = column;
    // Which of them an increase needs is not to be seen in `values`: all are kept.
    if (histograms.length > 0) {
      this.#row(this.rollups, key, { times, timesId: column.id, words, from, histograms });
      return;
    }
    const plain = isPlain(values, words, from, times.length);
    const rows = plain ? column.plain : this.#chooser.rows(times, values, words, from);
    const kept = plain ? this.#plainTimes(column) : this.#ownTimes(times, rows);
    const scratch = this.#gather(words, from, rows);
    const samples = { times: kept.times, timesId: kept.id, words: scratch, from: 0, histograms };
    this.#row(this.rollups, key, samples);
  }

  #plainTimes(column: TimeColumn) {
    column.plainTimes ??= this.#ownTimes(column.times, column.plain);
    return column.plainTimes;
  }

  #ownTimes(times: Float64Array, rows: Uint32Array) {
    const own = Float64Array.from(rows, (row) => f64(times, row));
    return { times: own, id: this.#timesId(own) };
  }

  /** Copies rows of a column, bit for bit. */
  #gather(words: Uint32Array, from: number, rows: Uint32Array): Uint32Array {
    if (rows.length > this.#scratch.length) this.#scratch = new Float64Array(2 * rows.length);
    const out = wordsOf(this.#scratch);
    for (let i = 0; i < rows.length; i++) {
      const row = from + u32(rows, i);
      out[2 * i] = u32(words, 2 * row);
      out[2 * i + 1] = u32(words, 2 * row + 1);
    }
    return out;
  }

  /** Writes a row and returns how many samples it has; none when there are none. */
  #row(out: TsvRows, key: SeriesKey, samples: Samples): number {
    const { times, timesId, words, from, histograms } = samples;
    let count = 0;
    let first = -1;
    let last = -1;
    for (let row = 0; row < times.length; row++) {
      if (isAbsent(words, from + row)) continue;
      if (first < 0) first = row;
      last = row;
      count++;
    }
    if (count === 0) return 0;
    const startMs = this.#slice * sliceMs;
    out.text(key.name);
    out.plain(key.base);
    out.text(key.le);
    out.plain(String(this.#slice));
    out.plain(String(this.#version));
    out.plain(String(Math.floor(f64(times, first) - startMs)));
    out.plain(String(Math.ceil(f64(times, last) - startMs)));
    out.plain(String(count));
    out.plain(timesId);
    out.bytes(this.#encoder.values(words, from, times.length));
    out.text(histogramText(histograms));
    out.endRow();
    return count;
  }

  #timesId(times: Float64Array): string {
    const bytes = this.#encoder.times(times, this.#slice * sliceMs);
    const id = hashOf(bytes);
    if (!this.#knownTimes.has(id)) {
      this.#knownTimes.add(id);
      this.times.plain(String(this.#slice));
      this.times.plain(id);
      this.times.bytes(bytes);
      this.times.endRow();
    }
    return id;
  }

  #keyOf(labels: LabelSet): SeriesKey {
    const { flat } = labels;
    let name = "";
    let le = "";
    const rest: string[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const label = flat[i] ?? "";
      const value = flat[i + 1] ?? "";
      if (label === metricNameLabel) name = value;
      else if (label === bucketLabel) le = value;
      else rest.push(label, value);
    }
    return { name, le, base: this.#baseOf(rest) };
  }

  #baseOf(rest: readonly string[]): string {
    if (this.#lastBase !== undefined && equalTexts(rest, this.#lastLabels)) return this.#lastBase;
    const base = hashOf(rest.join("\u0000"));
    this.#lastLabels = rest;
    this.#lastBase = base;
    if (!this.#knownBases.has(base)) {
      this.#knownBases.add(base);
      this.bases.plain(String(Math.floor(this.#slice / slicesPerDay)));
      this.bases.plain(base);
      this.bases.map(Object.fromEntries(pairsOf(rest)));
      this.bases.endRow();
    }
    return base;
  }
}

/** 64 bits of SHA-1, as a decimal number. */
function hashOf(bytes: Uint8Array | string): string {
  return createHash("sha1").update(bytes).digest().readBigUInt64LE(0).toString();
}

function equalTexts(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function* pairsOf(flat: readonly string[]): Generator<readonly [string, string]> {
  for (let i = 0; i < flat.length; i += 2) yield [flat[i] ?? "", flat[i + 1] ?? ""];
}

/** The block's histograms by series, each with its row. */
function bySeries(block: SeriesBlock) {
  if (!block.histograms || block.histograms.size === 0) return undefined;
  const out = new Map<number, [number, NativeHistogram][]>();
  for (let i = 0; i < block.labels.length; i++) {
    const from = block.offsets[i] ?? 0;
    const end = block.offsets[i + 1] ?? 0;
    for (let k = from; k < end; k++) {
      const histogram = block.histograms.get(k);
      if (!histogram) continue;
      const rows = out.get(i) ?? [];
      rows.push([k - from, histogram]);
      out.set(i, rows);
    }
  }
  return out;
}
