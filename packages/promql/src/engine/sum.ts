/**
 * Neumaier's variant of Kahan summation, as upstream uses it wherever many values are added. The pair (sum, rest) is the
 * state; loops that cannot afford an object repeat the three lines of `add`.
 * Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).
 */
export class CompensatedSum {
  sum = 0;
  rest = 0;

  add(value: number): void {
    const total = this.sum + value;
    if (total === Infinity || total === -Infinity) this.rest = 0;
    else if (Math.abs(this.sum) >= Math.abs(value)) this.rest += this.sum - total + value;
    else this.rest += value - total + this.sum;
    this.sum = total;
  }

  get total(): number {
    return this.sum === Infinity || this.sum === -Infinity ? this.sum : this.sum + this.rest;
  }
}

/** The mean of values[from..to), direct until the sum overflows, incremental from there on. */
export function mean(values: Float64Array, from: number, to: number): number {
  const acc = new MeanAccumulator();
  for (let i = from; i < to; i++) acc.add(values[i] ?? NaN);
  return acc.mean;
}

export class MeanAccumulator {
  readonly #sum = new CompensatedSum();
  #count = 0;
  #incremental = false;

  add(value: number): void {
    this.#count += 1;
    const count = this.#count;
    const acc = this.#sum;
    if (!this.#incremental) {
      const { sum, rest } = acc;
      acc.add(value);
      if (count === 1 || (acc.sum !== Infinity && acc.sum !== -Infinity)) return;
      this.#incremental = true;
      acc.sum = sum / (count - 1);
      acc.rest = rest / (count - 1);
    }
    const share = (count - 1) / count;
    acc.sum *= share;
    acc.rest *= share;
    acc.add(value / count);
  }

  get mean(): number {
    const { sum, rest } = this.#sum;
    return this.#incremental ? sum + rest : sum / this.#count + rest / this.#count;
  }
}
