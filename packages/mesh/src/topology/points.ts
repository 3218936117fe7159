/** Charts for pages: a range query as points on the steps asked for, holes as null. */
import type { Points } from "@skopos/api";
import type { MetricEngine } from "@skopos/model";

const pointsMax = 300;

export interface ChartRange {
  readonly startMs: number;
  readonly endMs: number;
  /** At least this; larger when the range would have too many points. */
  readonly stepMinMs: number;
}

function stepOf(range: ChartRange): number {
  const wanted = (range.endMs - range.startMs) / pointsMax;
  return Math.max(range.stepMinMs, Math.ceil(wanted / 1000) * 1000);
}

/** The first series of the answer; every step without a value is a gap. */
export async function chart(
  engine: MetricEngine,
  query: string,
  range: ChartRange,
): Promise<Points> {
  const stepMs = stepOf(range);
  const startMs = Math.ceil(range.startMs / stepMs) * stepMs;
  if (startMs > range.endMs) return [];
  const { value } = await engine.range({
    query,
    startMs,
    endMs: range.endMs,
    stepMs,
    timeoutMs: 20_000,
  });
  const series = value.type === "matrix" ? value.series[0] : undefined;
  const values = new Map<number, number>();
  series?.times.forEach((time, i) => {
    const sample = series.values[i];
    if (sample !== undefined && Number.isFinite(sample)) values.set(time, sample);
  });
  const points: Points = [];
  for (let at = startMs; at <= range.endMs; at += stepMs) points.push([at, values.get(at) ?? null]);
  return points;
}
