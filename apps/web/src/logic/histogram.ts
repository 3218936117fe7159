/** Bars of log lines per time and level, stacked, worst at the bottom where eyes begin. */
import type { LogPage } from "@skopos/api";

export const levels = ["error", "warning", "info", "debug", "unknown"] as const;
type Level = (typeof levels)[number];

export interface Bar {
  readonly at: number;
  readonly total: number;
  /** Heights from 0 to 1 of the highest bar, in the order of `levels`, without empty ones. */
  readonly parts: readonly { readonly level: Level; readonly from: number; readonly to: number }[];
}

export function stackBars(histogram: LogPage["histogram"]): { bars: Bar[]; most: number } {
  const totals = histogram.map(({ counts }) =>
    Object.values(counts).reduce((sum, count) => sum + count, 0),
  );
  const most = Math.max(0, ...totals);
  const bars = histogram.map(({ at, counts }, index): Bar => {
    let height = 0;
    const parts: { level: Level; from: number; to: number }[] = [];
    for (const level of levels) {
      const count = counts[level];
      if (count === undefined || count <= 0 || most === 0) continue;
      parts.push({ level, from: height / most, to: (height + count) / most });
      height += count;
    }
    return { at, total: totals[index] ?? 0, parts };
  });
  return { bars, most };
}

/** Time between bars, in milliseconds; a single bar has none. */
export function bucketMs(histogram: LogPage["histogram"]): number | null {
  const [first, second] = histogram;
  return first && second ? second.at - first.at : null;
}
