/**
 * Heat maps: how much fell into each bucket in each step of time. Built from classic histograms (series by `le`, which are
 * cumulative), from native ones, and from TraceQL's `histogram_over_time` (powers of two).
 */
import { onGrid } from "./series.ts";

interface HeatBucket {
  /** -Infinity and Infinity where the bucket is open. */
  readonly lower: number;
  readonly upper: number;
}

export interface Heat {
  /** Ends of the columns in unix milliseconds; a column begins a step before. */
  readonly times: readonly number[];
  readonly stepMs: number;
  /** Ascending, each beginning where the one before ends. */
  readonly buckets: readonly HeatBucket[];
  /** By bucket, then by column; NaN where nothing was measured. */
  readonly cells: Float64Array;
  readonly max: number;
}

export interface HeatRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

type Metric = Readonly<Record<string, string>>;
type Sample = readonly [atSeconds: number, value: string];

export interface ClassicSeries {
  readonly metric: Metric;
  readonly samples: readonly Sample[];
}

interface NativeBucket extends HeatBucket {
  readonly count: number;
}

export interface NativeSeries {
  readonly histograms: readonly {
    readonly atSeconds: number;
    readonly buckets: readonly NativeBucket[];
  }[];
}

/** Rows at most; finer histograms are drawn with neighbouring buckets as one. */
export const heatRowsMax = 96;

const bound = (text: string) => (/^\+?inf$/i.test(text) ? Infinity : Number(text));

function columnsOf({ startMs, endMs, stepMs }: HeatRange): number[] {
  const count = Math.max(0, Math.floor((endMs - startMs) / stepMs) + 1);
  return Array.from({ length: count }, (_, i) => startMs + i * stepMs);
}

/** Per second since the column before; after a reset, what was counted since. */
function ratesOf(values: readonly (number | null)[], stepMs: number): (number | null)[] {
  return values.map((value, i) => {
    const before = values[i - 1];
    if (value === null || before === null || before === undefined) return null;
    return ((value >= before ? value - before : value) * 1000) / stepMs;
  });
}

function addTo(sums: Float64Array, values: readonly (number | null)[]): void {
  for (const [i, value] of values.entries()) {
    if (value === null || Number.isNaN(value)) continue;
    const before = sums[i] ?? NaN;
    sums[i] = Number.isNaN(before) ? value : before + value;
  }
}

/** `null` where no series has an `le` that is a number. Counters as they are stored become rates. */
export function heatOfClassic(series: readonly ClassicSeries[], range: HeatRange): Heat | null {
  const times = columnsOf(range);
  const cumulative = new Map<number, Float64Array>();
  for (const { metric, samples } of series) {
    const le = bound(metric["le"] ?? "");
    if (metric["le"] === undefined || Number.isNaN(le)) continue;
    const numbers = samples.map(([at, value]) => [at * 1000, Number(value)] as const);
    const values = onGrid(numbers, range.startMs, range.endMs, range.stepMs).map(([, v]) => v);
    const isCounter = metric["__name__"]?.endsWith("_bucket") ?? false;
    const sums = cumulative.get(le) ?? new Float64Array(times.length).fill(NaN);
    cumulative.set(le, sums);
    addTo(sums, isCounter ? ratesOf(values, range.stepMs) : values);
  }
  if (cumulative.size === 0) return null;
  const bounds = [...cumulative.keys()].toSorted((a, b) => a - b);
  const cells = new Float64Array(bounds.length * times.length).fill(NaN);
  for (const [row, upper] of bounds.entries()) {
    const own = cumulative.get(upper);
    const below = cumulative.get(bounds[row - 1] ?? NaN);
    for (let column = 0; column < times.length; column++) {
      const inAll = own?.[column] ?? NaN;
      const inLower = below ? (below[column] ?? NaN) : 0;
      // Scraped at different moments, a lower bucket can be ahead of a higher one.
      cells[row * times.length + column] = Math.max(0, inAll - inLower);
    }
  }
  const buckets = bounds.map((upper, row) => ({
    lower: bounds[row - 1] ?? (upper > 0 ? 0 : -Infinity),
    upper,
  }));
  return settled({ times, stepMs: range.stepMs, buckets, cells });
}

/** Several series are added up. Where resolutions differ, a wide bucket is spread evenly over the finer ones. */
export function heatOfNative(series: readonly NativeSeries[], range: HeatRange): Heat | null {
  const times = columnsOf(range);
  const edges = new Set<number>();
  for (const { histograms } of series)
    for (const { buckets } of histograms)
      for (const { lower, upper } of buckets) edges.add(lower).add(upper);
  if (edges.size < 2) return null;
  const bounds = [...edges].toSorted((a, b) => a - b);
  const place = new Map(bounds.map((edge, at) => [edge, at]));
  const rows = bounds.length - 1;
  const cells = new Float64Array(rows * times.length).fill(NaN);
  for (const { histograms } of series)
    for (const { atSeconds, buckets } of histograms) {
      const column = Math.round((atSeconds * 1000 - range.startMs) / range.stepMs);
      if (column < 0 || column >= times.length) continue;
      measuredAt(cells, rows, times.length, column);
      for (const { lower, upper, count } of buckets) {
        const from = place.get(lower) ?? 0;
        const to = place.get(upper) ?? from;
        for (let row = from; row < to; row++) {
          const cell = row * times.length + column;
          cells[cell] = (cells[cell] ?? 0) + count / (to - from);
        }
      }
    }
  const buckets = bounds
    .slice(0, rows)
    .map((lower, row) => ({ lower, upper: bounds[row + 1] ?? Infinity }));
  return settled({ times, stepMs: range.stepMs, buckets, cells });
}

/** What was measured and holds no bucket is zero. */
function measuredAt(cells: Float64Array, rows: number, width: number, column: number): void {
  for (let row = 0; row < rows; row++) {
    const cell = row * width + column;
    if (Number.isNaN(cells[cell])) cells[cell] = 0;
  }
}

/** Counts per power of two, as `histogram_over_time` gives them: `upper` is the bucket's end, nothing counted is zero. */
export function heatOfPowers(
  series: readonly {
    readonly upper: number;
    readonly points: readonly (readonly [number, number])[];
  }[],
  range: HeatRange,
): Heat | null {
  const bounded = series.filter(({ upper }) => upper > 0 && Number.isFinite(upper));
  if (bounded.length === 0) return null;
  const times = columnsOf(range);
  const lowest = Math.min(...bounded.map(({ upper }) => upper));
  const rowOf = (upper: number) => Math.round(Math.log2(upper / lowest));
  const rows = Math.max(...bounded.map(({ upper }) => rowOf(upper))) + 1;
  const cells = new Float64Array(rows * times.length);
  for (const { upper, points } of bounded)
    for (const [at, count] of points) {
      const column = Math.round((at - range.startMs) / range.stepMs);
      if (column < 0 || column >= times.length) continue;
      const cell = rowOf(upper) * times.length + column;
      cells[cell] = (cells[cell] ?? 0) + count;
    }
  const buckets = Array.from({ length: rows }, (_, row) => ({
    lower: lowest * 2 ** (row - 1),
    upper: lowest * 2 ** row,
  }));
  return settled({ times, stepMs: range.stepMs, buckets, cells });
}

/** Leaves out empty buckets at both ends, joins neighbours of what is too fine, finds the highest cell. */
function settled(heat: Omit<Heat, "max">): Heat | null {
  const { times, stepMs, buckets, cells } = heat;
  const width = times.length;
  const used = buckets.map((_, row) =>
    cells.subarray(row * width, (row + 1) * width).some((value) => value > 0),
  );
  const first = used.indexOf(true);
  const end = used.lastIndexOf(true) + 1;
  if (first < 0) return null;
  const each = Math.ceil((end - first) / heatRowsMax);
  const rows = Math.ceil((end - first) / each);
  const joined = new Float64Array(rows * width).fill(NaN);
  for (let row = first; row < end; row++)
    addTo(
      joined.subarray(
        Math.floor((row - first) / each) * width,
        Math.floor((row - first) / each + 1) * width,
      ),
      Array.from(cells.subarray(row * width, (row + 1) * width)),
    );
  const max = joined.reduce((most, value) => (value > most ? value : most), 0);
  return {
    times,
    stepMs,
    buckets: Array.from({ length: rows }, (_, row) => ({
      lower: buckets[first + row * each]?.lower ?? -Infinity,
      upper: buckets[Math.min(end, first + (row + 1) * each) - 1]?.upper ?? Infinity,
    })),
    cells: joined,
    max,
  };
}

/** Colours of the scale; 0 is drawn as nothing. */
export const heatLevels = 7;

/** 0 for nothing, else 1 to `heatLevels`. By square root, so that what is rare is seen beside what is common. */
export function levelOf(value: number, max: number): number {
  if (!(value > 0) || !(max > 0)) return 0;
  return Math.min(heatLevels, Math.max(1, Math.ceil(Math.sqrt(value / max) * heatLevels)));
}

/** The highest value of a level. */
export function levelEnd(level: number, max: number): number {
  return (level / heatLevels) ** 2 * max;
}

export interface HeatCell extends HeatBucket {
  readonly column: number;
  readonly row: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** NaN where nothing was measured. */
  readonly value: number;
}

export function cellAt(heat: Heat, column: number, row: number): HeatCell | null {
  const toMs = heat.times[column];
  const bucket = heat.buckets[row];
  if (toMs === undefined || bucket === undefined) return null;
  const value = heat.cells[row * heat.times.length + column] ?? NaN;
  return { ...bucket, column, row, fromMs: toMs - heat.stepMs, toMs, value };
}

/** What is not empty, newest first, at most `limit`. */
export function fullCells(heat: Heat, limit: number): HeatCell[] {
  const found: HeatCell[] = [];
  for (let column = heat.times.length - 1; column >= 0; column--)
    for (let row = heat.buckets.length - 1; row >= 0; row--) {
      const cell = cellAt(heat, column, row);
      if (!cell || !(cell.value > 0)) continue;
      if (found.length === limit) return found;
      found.push(cell);
    }
  return found;
}

/** Every how many bounds one is written so that about `wanted` of them stand on the axis. */
export function boundEvery(rows: number, wanted: number): number {
  return Math.max(1, Math.ceil(rows / Math.max(1, wanted)));
}
