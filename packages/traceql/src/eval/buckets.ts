/**
 * Distributions in buckets of powers of two, and quantiles of them. A value v > 0 is in bucket e with 2^(e−1) < v ≤ 2^e.
 * Within a bucket values are taken to lie evenly on a logarithmic scale, so a quantile is off by less than a factor of two.
 * Tempo (pkg/traceql, engine_metrics.go) answers by the same buckets and interpolation; this is its answer.
 */

export function exponentOf(value: number): number {
  return Math.ceil(Math.log2(value));
}

/** Counts by exponent. Undefined for no values at all. */
export function quantileOf(q: number, buckets: ReadonlyMap<number, number>): number | undefined {
  const sorted = [...buckets].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = Math.ceil(q * total);
  let below = 0;
  for (const [exponent, count] of sorted) {
    if (below + count >= rank) return 2 ** (exponent - 1 + (rank - below) / count);
    below += count;
  }
  return undefined;
}
