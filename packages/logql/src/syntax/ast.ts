/** The tree of a LogQL query. */
import type { LineFilter, Matcher, MatchOp } from "@skopos/model";

type Comparison = MatchOp | "==" | ">" | ">=" | "<" | "<=";

export type LabelFilter =
  | { readonly type: "text"; readonly name: string; readonly op: MatchOp; readonly value: string }
  | {
      readonly type: "number";
      readonly name: string;
      readonly op: Exclude<Comparison, "=~" | "!~" | "=">;
      readonly value: number;
    }
  | { readonly type: "and"; readonly left: LabelFilter; readonly right: LabelFilter }
  | { readonly type: "or"; readonly left: LabelFilter; readonly right: LabelFilter };

export type Stage =
  | { readonly type: "line"; readonly filter: LineFilter }
  | { readonly type: "json" }
  | { readonly type: "logfmt" }
  | { readonly type: "label"; readonly filter: LabelFilter }
  | { readonly type: "drop" | "keep"; readonly names: readonly string[] };

export interface LogSelector {
  readonly type: "log";
  readonly matchers: readonly Matcher[];
  readonly stages: readonly Stage[];
}

export type RangeFunction = "rate" | "count_over_time" | "bytes_rate" | "bytes_over_time";

export interface RangeAggregation {
  readonly type: "range";
  readonly func: RangeFunction;
  readonly selector: LogSelector;
  readonly rangeMs: number;
  readonly offsetMs: number;
}

export interface VectorAggregation {
  readonly type: "aggregate";
  readonly op: "sum" | "avg" | "min" | "max" | "count";
  readonly grouping: { readonly type: "by" | "without"; readonly names: readonly string[] };
  readonly inner: MetricExpr;
}

export type MetricExpr = RangeAggregation | VectorAggregation;
export type LogqlExpr = LogSelector | MetricExpr;
