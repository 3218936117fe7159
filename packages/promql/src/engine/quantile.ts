/** Quantiles of plain values, interpolated between the two nearest ranks. NaN counts as the smallest value. */

/** Ascending, NaN first. */
export function sortedCopy(values: Float64Array, from: number, to: number): Float64Array {
  const sorted = values.slice(from, to).sort();
  // Typed arrays sort NaN last.
  let nans = 0;
  while (nans < sorted.length && Number.isNaN(sorted[sorted.length - 1 - nans])) nans += 1;
  if (nans > 0) {
    sorted.copyWithin(nans, 0, sorted.length - nans);
    sorted.fill(NaN, 0, nans);
  }
  return sorted;
}

export function quantileOfSorted(q: number, sorted: Float64Array): number {
  if (sorted.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return (sorted[lower] ?? NaN) * (1 - weight) + (sorted[upper] ?? NaN) * weight;
}
