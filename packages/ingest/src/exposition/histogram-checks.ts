/** The rules within one histogram of an OpenMetrics page: buckets ordered and cumulative, count equal to the last bucket. */
export class HistogramChecks {
  #used = false;
  #bound: number | undefined;
  #bucketValue = 0;
  #count: number | undefined;
  #sum: "none" | "sum" | "gsum" = "none";
  #negativeBuckets = false;
  #negativeGaugeSum = false;

  /** Takes the next sample; `bound` is the bucket's `le`. */
  sample(
    suffix: string,
    bound: number | undefined,
    value: number,
    fail: (reason: string) => never,
  ): void {
    this.#used = true;
    if (suffix === "_bucket" && bound !== undefined) {
      if (bound < 0) this.#negativeBuckets = true;
      if (this.#bound !== undefined && bound <= this.#bound) fail("buckets are out of order");
      if (value < this.#bucketValue) fail("a bucket's value is below the one before");
      this.#bound = bound;
      this.#bucketValue = value;
    } else if (suffix === "_count" || suffix === "_gcount") this.#count = value;
    else if (suffix === "_sum") this.#sum = "sum";
    else if (suffix === "_gsum") {
      this.#sum = "gsum";
      if (value < 0) this.#negativeGaugeSum = true;
    }
  }

  /** Judges the histogram that ends here and starts afresh. */
  finish(fail: (reason: string) => never): void {
    if (!this.#used) return;
    if (this.#bound !== Infinity) fail("the +Inf bucket is missing");
    if (this.#count !== undefined && this.#count !== this.#bucketValue)
      fail("the count differs from the +Inf bucket");
    if ((this.#count === undefined) !== (this.#sum === "none"))
      fail("count and sum must be given together");
    if (this.#negativeBuckets && this.#sum === "sum")
      fail("a histogram with negative buckets has no sum");
    if (!this.#negativeBuckets && this.#negativeGaugeSum)
      fail("the sum is negative though no bucket is");
    this.#used = false;
    this.#bound = undefined;
    this.#bucketValue = 0;
    this.#count = undefined;
    this.#sum = "none";
    this.#negativeBuckets = false;
    this.#negativeGaugeSum = false;
  }
}
