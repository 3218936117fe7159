/** Latencies in logarithmic buckets (5 % wide, 0.1 ms to 100 s): bounded memory, percentiles within 5 %. */
const firstMs = 0.1;
const growth = 1.05;
const buckets = 285;

export class LatencyHistogram {
  count = 0;
  sumMs = 0;
  minMs = Infinity;
  maxMs = 0;
  readonly #counts = new Float64Array(buckets);

  add(ms: number): void {
    this.count++;
    this.sumMs += ms;
    this.minMs = Math.min(this.minMs, ms);
    this.maxMs = Math.max(this.maxMs, ms);
    const at = ms <= firstMs ? 0 : Math.ceil(Math.log(ms / firstMs) / Math.log(growth));
    const bucket = Math.min(buckets - 1, at);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** Milliseconds below which `share` (0 to 1) of the latencies lie; undefined when there are none. */
  quantile(share: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = share * this.count;
    let seen = 0;
    for (let i = 0; i < buckets; i++) {
      seen += this.#counts[i] ?? 0;
      if (seen >= rank) return Math.min(this.maxMs, firstMs * growth ** i);
    }
    return this.maxMs;
  }
}
