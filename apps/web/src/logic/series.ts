/** Time series for charts: several lines on one axis of times, with gaps where nothing was measured. */
import type { Points } from "@skopos/api";

export interface Line {
  readonly label: string;
  readonly points: Points;
}

export interface Aligned {
  /** Unix seconds, ascending: what uPlot wants. */
  readonly times: number[];
  readonly values: (number | null)[][];
}

/** One axis with every time that any line has. A line without a value there has a gap. */
export function alignLines(lines: readonly Line[]): Aligned {
  const all = new Set<number>();
  for (const { points } of lines) for (const [at] of points) all.add(at);
  const times = [...all].toSorted((a, b) => a - b);
  const index = new Map(times.map((at, place) => [at, place]));
  const values = lines.map(({ points }) => {
    const row = Array.from<number | null>({ length: times.length }).fill(null);
    for (const [at, value] of points) {
      const place = index.get(at);
      if (place !== undefined) row[place] = value !== null && Number.isFinite(value) ? value : null;
    }
    return row;
  });
  return { times: times.map((at) => at / 1000), values };
}

/** Each line on top of those before it. Where a line has no value it stays a gap, and those above stand on what is there. */
export function stackUp(values: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const heights = new Float64Array(values[0]?.length ?? 0);
  return values.map((row) =>
    row.map((value, i) => {
      if (value === null) return null;
      const height = (heights[i] ?? 0) + value;
      heights[i] = height;
      return height;
    }),
  );
}

/** Puts samples on the grid of a range query: a step without a sample becomes a gap instead of a straight line. */
export function onGrid(
  samples: readonly (readonly [number, number])[],
  startMs: number,
  endMs: number,
  stepMs: number,
): Points {
  const byStep = new Map(
    samples.map(([at, value]) => [Math.round((at - startMs) / stepMs), value]),
  );
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  return Array.from({ length: count }, (_, place): [number, number | null] => [
    startMs + place * stepMs,
    byStep.get(place) ?? null,
  ]);
}

/** Last and highest measured value. */
export function extremes(points: Points): { last: number | null; max: number | null } {
  let last: number | null = null;
  let max: number | null = null;
  for (const [, value] of points) {
    if (value === null || !Number.isFinite(value)) continue;
    last = value;
    if (max === null || value > max) max = value;
  }
  return { last, max };
}

const stepsMs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400].map(
  (seconds) => seconds * 1000,
);

/** A round step that gives about `points` points over a length of time. */
export function stepFor(lengthMs: number, points = 240): number {
  return stepsMs.find((stepMs) => lengthMs / stepMs <= points) ?? Math.ceil(lengthMs / points);
}

/** A label for a Prometheus label set, without what all of them share. */
export function labelSetName(
  labels: Readonly<Record<string, string>>,
  shared: ReadonlySet<string>,
): string {
  const name = labels["__name__"] ?? "";
  const rest = Object.entries(labels)
    .filter(([key]) => key !== "__name__" && !shared.has(key))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  if (rest.length === 0) return name || "value";
  return `${name}{${rest.join(", ")}}`;
}

/** Label names with the same value in every set; of a single set, none. */
export function sharedLabels(sets: readonly Readonly<Record<string, string>>[]): Set<string> {
  const [first, ...rest] = sets;
  if (!first || rest.length === 0) return new Set();
  return new Set(
    Object.entries(first)
      .filter(([key, value]) => rest.every((set) => set[key] === value))
      .map(([key]) => key),
  );
}
