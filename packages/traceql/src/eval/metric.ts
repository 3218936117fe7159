/** Counts and measures spans by step and group, from spans or from what a store counted. Durations come out in seconds. */
import { type AttributeValue, type LabelMap, LimitError } from "@skopos/model";
import type { Field, MetricCall } from "../syntax/ast.ts";
import { formatField, intrinsics } from "../syntax/fields.ts";
import { exponentOf, quantileOf } from "./buckets.ts";
import { type Series, type SeriesSet, seriesSet, type Steps } from "./series.ts";

const groupsMax = 10_000;

interface Group {
  readonly labels: LabelMap;
  readonly count: Float64Array;
  readonly sum: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** By exponent, counts by step. */
  readonly buckets: Map<number, Float64Array>;
}

/** What happened in one step to one group. */
export interface Measured {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly exponent: number;
}

export class MetricCounter {
  readonly #call: MetricCall;
  readonly #steps: Steps;
  readonly #groups = new Map<string, Group>();
  readonly #unit: number;

  constructor(call: MetricCall, steps: Steps) {
    this.#call = call;
    this.#steps = steps;
    this.#unit = call.field && isDuration(call.field) ? 1e-9 : 1;
  }

  /** Whether values are sorted into buckets, which those not above 0 have no place in. */
  get usesBuckets(): boolean {
    return this.#call.name === "quantile_over_time" || this.#call.name === "histogram_over_time";
  }

  /** `weight`: how many spans have the value. */
  addValue(
    step: number,
    by: readonly (AttributeValue | undefined)[],
    value: number,
    weight: number,
  ): void {
    if (!Number.isFinite(value) || (this.usesBuckets && value <= 0)) return;
    const exponent = this.usesBuckets ? exponentOf(value) : 0;
    this.add(step, by, { count: weight, sum: value * weight, min: value, max: value, exponent });
  }

  add(step: number, by: readonly (AttributeValue | undefined)[], measured: Measured): void {
    if (step < 0 || step >= this.#steps.count) return;
    const group = this.#group(by);
    group.count[step] = (group.count[step] ?? 0) + measured.count;
    group.sum[step] = (group.sum[step] ?? 0) + measured.sum;
    group.min[step] = Math.min(group.min[step] ?? Infinity, measured.min);
    group.max[step] = Math.max(group.max[step] ?? -Infinity, measured.max);
    if (!this.usesBuckets) return;
    let bucket = group.buckets.get(measured.exponent);
    if (!bucket)
      group.buckets.set(measured.exponent, (bucket = new Float64Array(this.#steps.count)));
    bucket[step] = (bucket[step] ?? 0) + measured.count;
  }

  result(): SeriesSet {
    return seriesSet([...this.#groups.values()].flatMap((group) => this.#seriesOf(group)));
  }

  #group(by: readonly (AttributeValue | undefined)[]): Group {
    const texts = by.map(labelText);
    const key = JSON.stringify(texts);
    const known = this.#groups.get(key);
    if (known) return known;
    if (this.#groups.size >= groupsMax)
      throw new LimitError(`more than ${groupsMax} series: group by fields with fewer values`);
    const { count } = this.#steps;
    const group: Group = {
      labels: Object.fromEntries(
        this.#call.by.map((field, i) => [formatField(field), texts[i] ?? ""]),
      ),
      count: new Float64Array(count),
      sum: new Float64Array(count),
      min: new Float64Array(count).fill(Infinity),
      max: new Float64Array(count).fill(-Infinity),
      buckets: new Map(),
    };
    this.#groups.set(key, group);
    return group;
  }

  #seriesOf(group: Group): Series[] {
    const { name } = this.#call;
    if (name === "quantile_over_time") return this.#quantiles(group);
    if (name === "histogram_over_time") return this.#histogram(group);
    const labels = this.#call.by.length === 0 ? { __name__: name } : group.labels;
    const values = group.count.map((count, step) => this.#valueOf(group, count, step));
    return [{ labels, values }];
  }

  /** No spans are a rate of 0, and have no mean. */
  #valueOf(group: Group, count: number, step: number): number {
    const { name } = this.#call;
    if (name === "rate") return count / (this.#steps.stepMs / 1000);
    if (name === "count_over_time") return count;
    if (count === 0) return Number.NaN;
    const sum = group.sum[step] ?? 0;
    switch (name) {
      case "min_over_time":
        return (group.min[step] ?? 0) * this.#unit;
      case "max_over_time":
        return (group.max[step] ?? 0) * this.#unit;
      case "avg_over_time":
        return (sum / count) * this.#unit;
      default:
        return sum * this.#unit;
    }
  }

  #quantiles(group: Group): Series[] {
    return this.#call.quantiles.map((q) => ({
      labels: { ...group.labels, p: String(q) },
      values: Float64Array.from(group.count, (_, step) => {
        const buckets = new Map<number, number>();
        for (const [exponent, counts] of group.buckets) buckets.set(exponent, counts[step] ?? 0);
        return (quantileOf(q, buckets) ?? Number.NaN) * this.#unit;
      }),
    }));
  }

  #histogram(group: Group): Series[] {
    return [...group.buckets]
      .sort(([a], [b]) => a - b)
      .map(([exponent, counts]) => ({
        labels: { ...group.labels, __bucket: String(2 ** exponent * this.#unit) },
        values: counts,
      }));
  }
}

function isDuration({ scope, name }: Field): boolean {
  return scope === "intrinsic" && intrinsics[name]?.type === "duration";
}

export function labelText(value: AttributeValue | undefined): string {
  if (value === undefined) return "nil";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
