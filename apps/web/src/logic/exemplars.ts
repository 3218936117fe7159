/** Exemplars on a chart: single requests behind the numbers, each with the trace that shows it. */

export interface Exemplar {
  readonly atMs: number;
  readonly value: number;
  readonly traceId: string;
  /** The exemplar's series and its own labels, as text. */
  readonly label: string;
}

export interface ExemplarSeries {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
    readonly timestamp: number;
  }[];
}

/** Names that instrumentation libraries give the label. */
const traceLabels = ["trace_id", "traceID", "traceId", "TraceID"] as const;

/** Diamonds on one chart at most. */
const exemplarsMax = 80;

/** Those that name a trace, by time. One exemplar of a request counts once, though each of its buckets holds it. */
export function exemplarsOf(series: readonly ExemplarSeries[]): Exemplar[] {
  const found = new Map<string, Exemplar>();
  for (const { seriesLabels, exemplars } of series)
    for (const { labels, value, timestamp } of exemplars) {
      const traceId = traceLabels.map((name) => labels[name]).find((text) => text !== undefined);
      if (traceId === undefined || traceId === "" || !Number.isFinite(value)) continue;
      const name = seriesLabels["__name__"] ?? "";
      const service =
        seriesLabels["destination_service_name"] ??
        seriesLabels["service"] ??
        seriesLabels["job"] ??
        "";
      const label = [name, service].filter((part) => part !== "").join(" ");
      found.set(`${traceId} ${timestamp} ${value}`, {
        atMs: timestamp * 1000,
        value,
        traceId,
        label,
      });
    }
  return [...found.values()].toSorted((a, b) => a.atMs - b.atMs);
}

/** Keeps the slowest of each stretch of time, so that what is left out says the least. */
export function thinExemplars(exemplars: readonly Exemplar[], max = exemplarsMax): Exemplar[] {
  const [first] = exemplars;
  const last = exemplars.at(-1);
  if (!first || !last || exemplars.length <= max) return [...exemplars];
  const lengthMs = Math.max(1, last.atMs - first.atMs);
  const highest = new Map<number, Exemplar>();
  for (const one of exemplars) {
    const place = Math.min(max - 1, Math.floor(((one.atMs - first.atMs) / lengthMs) * max));
    const other = highest.get(place);
    if (!other || one.value > other.value) highest.set(place, one);
  }
  return [...highest.values()].toSorted((a, b) => a.atMs - b.atMs);
}

/** Whether the query's own values are of the kind that exemplars have: a quantile of latencies is, a rate is not. */
export function sharesAxis(query: string): boolean {
  return /\bhistogram_(?:quantile|avg)\s*\(/.test(query);
}

/**
 * Where a diamond stands, as a share of the plot's height from the bottom. What is higher than the axis stands at its top,
 * what is not on the axis' scale at the bottom.
 */
export function heightOf(
  { value }: Exemplar,
  axis: { readonly min: number; readonly max: number },
  onAxis: boolean,
): number {
  if (!onAxis || !(axis.max > axis.min)) return 0;
  return Math.min(1, Math.max(0, (value - axis.min) / (axis.max - axis.min)));
}
