/** How the Metrics page shows an answer, as it stands in the address. */
export const metricViews = [
  ["graph", "Graph"],
  ["stacked", "Stacked"],
  ["heat", "Heat map"],
  ["table", "Table"],
] as const;

export type MetricView = (typeof metricViews)[number][0];

export function readMetricView(text: string | null): MetricView {
  return metricViews.find(([view]) => view === text)?.[0] ?? "graph";
}

/** Places of the queries whose cost is shown. */
export function readPlaces(texts: readonly string[]): ReadonlySet<number> {
  return new Set(texts.map(Number).filter((place) => Number.isInteger(place) && place >= 0));
}

/** Shown or hidden the other way round. */
export function togglePlace(places: ReadonlySet<number>, place: number): string[] {
  const next = new Set(places);
  if (!next.delete(place)) next.add(place);
  return [...next].toSorted((a, b) => a - b).map(String);
}

/** Without a query, those after it move up. */
export function withoutPlace(places: ReadonlySet<number>, gone: number): string[] {
  return [...places]
    .filter((place) => place !== gone)
    .map((place) => String(place > gone ? place - 1 : place));
}
