/** Robust figures over short series. Absent values are left out before they come here. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear interpolation between order statistics; NaN for no values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function mean(values: readonly number[]): number {
  return values.length === 0
    ? Number.NaN
    : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Half the interquartile range, never below `floor`: constant series have a spread of zero and would make everything infinite. */
export function spread(values: readonly number[], floor: number): number {
  const width = (quantile(values, 0.75) - quantile(values, 0.25)) / 2;
  return Math.max(Number.isNaN(width) ? 0 : width, floor);
}

/** Columns of one signal: times ascending, in ms; only the steps that have a value. */
export interface Series {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

export const emptySeries: Series = { times: [], values: [] };

export function between(series: Series, startMs: number, endMs: number): number[] {
  const found: number[] = [];
  series.times.forEach((time, i) => {
    const value = series.values[i];
    if (value !== undefined && time >= startMs && time <= endMs) found.push(value);
  });
  return found;
}

export interface Range {
  readonly startMs: number;
  readonly endMs: number;
}

/** Which stretches are usual and which is the incident. */
export interface Windows {
  readonly normal: readonly Range[];
  readonly incident: Range;
}

/** A signal before and during. */
export interface Shift {
  readonly before: number;
  readonly now: number;
  readonly excess: number;
  /** Excess in units of the usual spread. */
  readonly score: number;
  readonly samplesBefore: number;
}

/** Undefined when there is nothing in one of the windows: absent is not zero. */
export function shiftOf(series: Series, windows: Windows): Shift | undefined {
  const usual = windows.normal.flatMap(({ startMs, endMs }) => between(series, startMs, endMs));
  const during = between(series, windows.incident.startMs, windows.incident.endMs);
  if (usual.length === 0 || during.length === 0) return undefined;
  const before = median(usual);
  const now = mean(during);
  const excess = now - before;
  const floor = Math.max(Math.abs(before) * 0.05, 1e-9);
  return {
    before,
    now,
    excess,
    score: excess / spread(usual, floor),
    samplesBefore: usual.length,
  };
}

/** Point by point, on the times both have. */
export function combine(a: Series, b: Series, f: (x: number, y: number) => number): Series {
  const other = new Map(b.times.map((time, i) => [time, b.values[i]]));
  const times: number[] = [];
  const values: number[] = [];
  a.times.forEach((time, i) => {
    const x = a.values[i];
    const y = other.get(time);
    if (x === undefined || y === undefined) return;
    const value = f(x, y);
    if (!Number.isFinite(value)) return;
    times.push(time);
    values.push(value);
  });
  return { times, values };
}

/** Sum at every time that any has; a series without a value there adds nothing. */
export function sumOf(list: readonly Series[]): Series {
  const sums = new Map<number, number>();
  for (const series of list)
    series.times.forEach((time, i) => {
      const value = series.values[i];
      if (value !== undefined) sums.set(time, (sums.get(time) ?? 0) + value);
    });
  const times = [...sums.keys()].sort((a, b) => a - b);
  return { times, values: times.map((time) => sums.get(time) ?? Number.NaN) };
}
