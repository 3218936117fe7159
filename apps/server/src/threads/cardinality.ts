/** Which metrics and labels make how many series: a walk over the head's label sets. */
import { type LabelSet, metricNameLabel } from "@skopos/model";
import type { HeadCardinality, NamedCount } from "./query-calls.ts";

class Counts {
  readonly #counts = new Map<string, number>();

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get size(): number {
    return this.#counts.size;
  }

  largest(limit: number): NamedCount[] {
    return [...this.#counts]
      .map(([name, value]) => ({ name, value }))
      .sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1))
      .slice(0, limit);
  }
}

export function cardinalityOf(series: readonly LabelSet[], limit: number): HeadCardinality {
  const metrics = new Counts();
  const labels = new Counts();
  const bytes = new Counts();
  const pairs = new Counts();
  const seen = new Set<string>();
  for (const { flat } of series)
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] ?? "";
      const value = flat[i + 1] ?? "";
      const pair = `${name}=${value}`;
      pairs.add(pair);
      bytes.add(name, value.length);
      if (name === metricNameLabel) metrics.add(value);
      if (seen.has(pair)) continue;
      seen.add(pair);
      labels.add(name);
    }
  return {
    labelPairs: pairs.size,
    seriesByMetric: metrics.largest(limit),
    valuesByLabel: labels.largest(limit),
    bytesByLabel: bytes.largest(limit),
    seriesByPair: pairs.largest(limit),
  };
}
