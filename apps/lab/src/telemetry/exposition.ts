/** Writes the Prometheus text format (version 0.0.4). Values are numbers; label values are escaped here and only here. */
export type Labels = Readonly<Record<string, string>>;

export function labelsText(labels: Labels): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(labels)) parts.push(`${name}="${escapeLabel(value)}"`);
  return parts.join(",");
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    : value;
}

export class Page {
  readonly #lines: string[] = [];

  family(name: string, type: "counter" | "gauge" | "histogram", help?: string): this {
    if (help !== undefined) this.#lines.push(`# HELP ${name} ${help}`);
    this.#lines.push(`# TYPE ${name} ${type}`);
    return this;
  }

  sample(name: string, labels: Labels, value: number): this {
    const text = labelsText(labels);
    this.#lines.push(text === "" ? `${name} ${value}` : `${name}{${text}} ${value}`);
    return this;
  }

  /** A gauge or counter of one series. */
  single(name: string, type: "counter" | "gauge", value: number, labels: Labels = {}): this {
    return this.family(name, type).sample(name, labels, value);
  }

  raw(line: string): this {
    this.#lines.push(line);
    return this;
  }

  text(): string {
    return this.#lines.length === 0 ? "" : `${this.#lines.join("\n")}\n`;
  }
}

/** A histogram of one series, with cumulative buckets written as Prometheus wants them. */
export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > (this.bounds[at] ?? Infinity)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
    this.count++;
  }

  /** `labels`: already text. */
  write(page: Page, name: string, labels: string): void {
    const lead = labels === "" ? "" : `${labels},`;
    let cumulative = 0;
    for (let i = 0; i <= this.bounds.length; i++) {
      cumulative += this.counts[i] ?? 0;
      page.raw(`${name}_bucket{${lead}le="${this.bounds[i] ?? "+Inf"}"} ${cumulative}`);
    }
    const own = labels === "" ? "" : `{${labels}}`;
    page.raw(`${name}_sum${own} ${this.sum}`).raw(`${name}_count${own} ${this.count}`);
  }
}
