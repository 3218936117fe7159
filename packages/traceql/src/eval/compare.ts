/**
 * `compare({…})`: spans fall into a selection and a baseline, and every value of every attribute is counted in both. Each
 * group gives its most frequent values; where it has more, a series with `__meta_error` says so.
 */
import { type Attributes, type LabelMap, LimitError, type Span } from "@skopos/model";
import type { CompareCall, Field } from "../syntax/ast.ts";
import { formatField } from "../syntax/fields.ts";
import { compileFilter, type SpanTest } from "./expression.ts";
import { labelText } from "./metric.ts";
import { type Series, type SeriesSet, seriesSet, type Steps } from "./series.ts";
import type { TraceTree } from "./trace-tree.ts";

type GroupName = "selection" | "baseline";

const valuesMax = 200_000;

export class CompareCounter {
  readonly #call: CompareCall;
  readonly #steps: Steps;
  readonly #selects: SpanTest;
  /** By attribute, then value. */
  readonly #counts = {
    selection: new Map<string, Map<string, Float64Array>>(),
    baseline: new Map<string, Map<string, Float64Array>>(),
  };
  #values = 0;
  /** Of the span that is being counted. */
  #weight = 1;

  constructor(call: CompareCall, steps: Steps) {
    this.#call = call;
    this.#steps = steps;
    this.#selects = compileFilter(call.selection);
  }

  add(step: number, span: Span, tree: TraceTree, index: number): void {
    if (step < 0 || step >= this.#steps.count) return;
    const group = this.#isSelected(span, tree, index) ? "selection" : "baseline";
    const root = tree.spans[tree.root];
    this.#weight = span.weight ?? 1;
    this.#count(group, "name", span.name, step);
    this.#count(group, "kind", span.kind, step);
    this.#count(group, "status", span.status, step);
    if (span.statusMessage !== "") this.#count(group, "statusMessage", span.statusMessage, step);
    if (root) this.#count(group, "rootName", root.name, step);
    if (root) this.#count(group, "rootServiceName", root.service, step);
    this.#count(group, "resource.service.name", span.service, step);
    this.#countAll(group, "span", span.attributes, step);
    this.#countAll(group, "resource", span.resource, step);
  }

  result(): SeriesSet {
    return seriesSet([...this.#seriesOf("baseline"), ...this.#seriesOf("selection")]);
  }

  #isSelected(span: Span, tree: TraceTree, index: number): boolean {
    const { window } = this.#call;
    const startNs = Number(span.startNs);
    if (window && (startNs < window.startNs || startNs >= window.endNs)) return false;
    return this.#selects(span, tree, index);
  }

  #countAll(group: GroupName, scope: Field["scope"], attributes: Attributes, step: number): void {
    for (const [name, value] of Object.entries(attributes)) {
      if (scope === "resource" && name === "service.name") continue;
      const label = formatField({ scope, name, parent: false });
      this.#count(group, label, labelText(value), step);
    }
  }

  #count(group: GroupName, attribute: string, value: string, step: number): void {
    const attributes = this.#counts[group];
    let values = attributes.get(attribute);
    if (!values) attributes.set(attribute, (values = new Map()));
    let counts = values.get(value);
    if (!counts) {
      this.#values += 1;
      if (this.#values > valuesMax)
        throw new LimitError(`more than ${valuesMax} values to compare: narrow the query`);
      values.set(value, (counts = new Float64Array(this.#steps.count)));
    }
    counts[step] = (counts[step] ?? 0) + this.#weight;
  }

  #seriesOf(group: GroupName): Series[] {
    return [...this.#counts[group]].flatMap(([attribute, values]) => {
      const sorted = [...values]
        .map(([value, counts]) => ({ value, counts, total: counts.reduce((a, b) => a + b, 0) }))
        .sort((a, b) => b.total - a.total || (a.value < b.value ? -1 : 1));
      const series = sorted.slice(0, this.#call.topN).map(({ value, counts }) => ({
        labels: labelsOf(group, attribute, value),
        values: counts,
      }));
      const total = new Float64Array(this.#steps.count);
      for (const { counts } of sorted)
        for (const [i, count] of counts.entries()) total[i] = (total[i] ?? 0) + count;
      series.push({ labels: labelsOf(`${group}_total`, attribute, "nil"), values: total });
      if (sorted.length > this.#call.topN) {
        const labels = {
          __meta_error: "__too_many_values__",
          ...labelsOf(group, attribute, "nil"),
        };
        series.push({ labels, values: new Float64Array(this.#steps.count) });
      }
      return series;
    });
  }
}

function labelsOf(group: string, attribute: string, value: string): LabelMap {
  return { __meta_type: group, [attribute]: value };
}
