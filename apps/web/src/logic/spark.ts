/** Geometry of small charts. Gaps stay gaps: `null` breaks the line. */
import type { Points } from "@skopos/api";

export interface SparkBox {
  readonly width: number;
  readonly height: number;
  readonly pad: number;
}

export interface Spark {
  /** An SVG path with one "M" per unbroken run. */
  readonly line: string;
  readonly x: (atMs: number) => number;
  readonly y: (value: number) => number;
  readonly last: { readonly at: number; readonly value: number } | null;
  readonly max: { readonly at: number; readonly value: number } | null;
  readonly from: number;
  readonly to: number;
}

/** `also` are values that must be on the picture, like the band of the normal. The floor is 0 unless values are below. */
export function drawSpark(points: Points, box: SparkBox, also: readonly number[] = []): Spark {
  let low = Math.min(0, ...also);
  let high = Math.max(0, ...also);
  let last: Spark["last"] = null;
  let max: Spark["max"] = null;
  for (const [at, value] of points) {
    if (value === null || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
    last = { at, value };
    if (!max || value > max.value) max = { at, value };
  }
  const from = points[0]?.[0] ?? 0;
  const to = Math.max(points.at(-1)?.[0] ?? 1, from + 1);
  const spread = high - low || 1;
  const x = (at: number) => box.pad + ((at - from) / (to - from)) * (box.width - 2 * box.pad);
  const y = (value: number) =>
    box.height - box.pad - ((value - low) / spread) * (box.height - 2 * box.pad);

  let line = "";
  let open = false;
  for (const [at, value] of points) {
    if (value === null || !Number.isFinite(value)) {
      open = false;
      continue;
    }
    line += `${open ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    open = true;
  }
  return { line, x, y, last, max, from, to };
}
