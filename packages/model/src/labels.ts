/** Labels as they travel between threads and over HTTP. */
export type LabelMap = Readonly<Record<string, string>>;

export const metricNameLabel = "__name__";

/**
 * An immutable label set: names ascending by UTF-16 code unit, no empty values (an empty value means "absent").
 * `flat` is name, value, name, value…: cheap to walk and to share.
 */
export class LabelSet {
  static readonly empty = new LabelSet([]);
  readonly flat: readonly string[];
  #key: string | undefined;

  private constructor(flat: readonly string[]) {
    this.flat = flat;
  }

  /** `flat` must already be sorted by name, unique, and free of empty values. */
  static fromSorted(flat: readonly string[]): LabelSet {
    return flat.length === 0 ? LabelSet.empty : new LabelSet(flat);
  }

  /** From pairs in any order; a later pair wins over an earlier one of the same name. */
  static fromPairs(pairs: Iterable<readonly [string, string]>): LabelSet {
    const all = [...pairs];
    let ascending = true;
    for (let i = 1; i < all.length; i++)
      if ((all[i - 1]?.[0] ?? "") > (all[i]?.[0] ?? "")) ascending = false;
    // Stable: of several of one name the last one stays last.
    if (!ascending) all.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    const flat: string[] = [];
    for (const [i, [name, value]] of all.entries())
      if (value !== "" && name !== all[i + 1]?.[0]) flat.push(name, value);
    return LabelSet.fromSorted(flat);
  }

  static fromMap(map: LabelMap): LabelSet {
    return LabelSet.fromPairs(Object.entries(map));
  }

  /** How many labels. */
  get size(): number {
    return this.flat.length / 2;
  }

  /** The label's value; "" when absent, as matchers see it. */
  get(name: string): string {
    for (let i = 0; i < this.flat.length; i += 2)
      if (this.flat[i] === name) return this.flat[i + 1] ?? "";
    return "";
  }

  has(name: string): boolean {
    return this.get(name) !== "";
  }

  /** Equal sets have equal keys, and only they. */
  get key(): string {
    this.#key ??= this.flat.join("\u0000");
    return this.#key;
  }

  equals(other: LabelSet): boolean {
    return this === other || this.key === other.key;
  }

  /** A copy with `name` set, or removed when `value` is "". */
  with(name: string, value: string): LabelSet {
    return LabelSet.fromPairs([...this.entries(), [name, value]]);
  }

  /** A copy without the labels for which `drop` is true. */
  without(drop: (name: string) => boolean): LabelSet {
    const flat: string[] = [];
    for (const [name, value] of this.entries()) if (!drop(name)) flat.push(name, value);
    return LabelSet.fromSorted(flat);
  }

  *entries(): Generator<readonly [string, string]> {
    for (let i = 0; i < this.flat.length; i += 2)
      yield [this.flat[i] ?? "", this.flat[i + 1] ?? ""];
  }

  toMap(): Record<string, string> {
    return Object.fromEntries(this.entries());
  }

  /** `{a="b", c="d"}`, with the metric name in front. */
  toString(): string {
    const rest = [...this.entries()].filter(([name]) => name !== metricNameLabel);
    const body = rest.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
    const name = this.get(metricNameLabel);
    return name && !body ? name : `${name}{${body}}`;
  }
}
