/**
 * The tree of a TraceQL query. A query finds spans, as a pipeline of stages that each trace goes through, or it makes
 * series out of what such a pipeline finds. `at` is where a node begins.
 */

export interface Place {
  readonly line: number;
  readonly column: number;
}

type FieldScope = "intrinsic" | "span" | "resource" | "any" | "event" | "link" | "instrumentation";

export interface Field {
  readonly scope: FieldScope;
  /** The attribute's key, or one of `intrinsics`. */
  readonly name: string;
  /** Of the span's parent; parsed and not evaluated. */
  readonly parent: boolean;
}

export type Literal =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int" | "float"; readonly value: number }
  /** Nanoseconds. */
  | { readonly type: "duration"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "status" | "kind"; readonly value: string }
  | { readonly type: "nil" };

export type CompareOp = "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~";
export type ArithmeticOp = "+" | "-" | "*" | "/" | "%" | "^";
export type LogicalOp = "&&" | "||";

/** An expression over the fields of one span. */
export type FieldExpr =
  | { readonly type: "literal"; readonly literal: Literal; readonly at: Place }
  | { readonly type: "field"; readonly field: Field; readonly at: Place }
  | {
      readonly type: "unary";
      readonly op: "-" | "!";
      readonly operand: FieldExpr;
      readonly at: Place;
    }
  | {
      readonly type: "binary";
      readonly op: CompareOp | ArithmeticOp | LogicalOp;
      readonly left: FieldExpr;
      readonly right: FieldExpr;
      readonly at: Place;
    };

export type Relation = ">" | ">>" | "<" | "<<" | "~";
/** "!" before a relation: spans that are not in it; "&": both sides of it. */
export type StructuralOp = Relation | `!${Relation}` | `&${Relation}`;

/** What gives spans of a trace. */
export type SpansetExpr =
  | { readonly type: "filter"; readonly expr: FieldExpr | undefined; readonly at: Place }
  | {
      readonly type: "combine";
      readonly op: LogicalOp | StructuralOp;
      readonly left: SpansetExpr;
      readonly right: SpansetExpr;
      readonly at: Place;
    }
  | { readonly type: "pipeline"; readonly stages: readonly Stage[]; readonly at: Place };

type AggregateName = "count" | "avg" | "min" | "max" | "sum";

/** A number for a set of spans. */
export type ScalarExpr =
  | {
      readonly type: "aggregate";
      readonly name: AggregateName;
      /** Undefined for `count()`. */
      readonly expr: FieldExpr | undefined;
      readonly at: Place;
    }
  | {
      readonly type: "number";
      readonly value: number;
      /** Whether a duration was in it; `value` is nanoseconds then. */
      readonly duration: boolean;
      readonly at: Place;
    }
  | {
      readonly type: "arithmetic";
      readonly op: ArithmeticOp;
      readonly left: ScalarExpr;
      readonly right: ScalarExpr;
      readonly at: Place;
    }
  | {
      readonly type: "scalarPipeline";
      readonly stages: readonly Stage[];
      readonly aggregate: ScalarExpr;
      readonly at: Place;
    };

export type ScalarOp = Exclude<CompareOp, "=~" | "!~">;

export type Stage =
  | SpansetExpr
  | {
      readonly type: "scalarFilter";
      readonly op: ScalarOp;
      readonly left: ScalarExpr;
      readonly right: ScalarExpr;
      readonly at: Place;
    }
  | { readonly type: "group"; readonly by: FieldExpr; readonly at: Place }
  | { readonly type: "coalesce"; readonly at: Place }
  | { readonly type: "select"; readonly fields: readonly Field[]; readonly at: Place };

type MetricName =
  | "rate"
  | "count_over_time"
  | "min_over_time"
  | "max_over_time"
  | "avg_over_time"
  | "sum_over_time"
  | "quantile_over_time"
  | "histogram_over_time";

export interface MetricCall {
  readonly type: "metric";
  readonly stages: readonly Stage[];
  readonly name: MetricName;
  /** What is measured; undefined where spans are counted. */
  readonly field: Field | undefined;
  readonly quantiles: readonly number[];
  readonly by: readonly Field[];
  readonly at: Place;
}

export interface CompareCall {
  readonly type: "compare";
  readonly stages: readonly Stage[];
  readonly selection: FieldExpr | undefined;
  /** Values per attribute. */
  readonly topN: number;
  /** Unix nanoseconds; absent: the whole range. */
  readonly window: { readonly startNs: number; readonly endNs: number } | undefined;
  readonly at: Place;
}

/** What gives series. */
export type MetricExpr =
  | MetricCall
  | CompareCall
  | { readonly type: "number"; readonly value: number; readonly at: Place }
  | {
      readonly type: "math";
      readonly op: "+" | "-" | "*" | "/";
      readonly left: MetricExpr;
      readonly right: MetricExpr;
      readonly at: Place;
    }
  | {
      readonly type: "top";
      readonly name: "topk" | "bottomk";
      readonly of: MetricExpr;
      readonly k: number;
      readonly at: Place;
    }
  | {
      readonly type: "threshold";
      readonly of: MetricExpr;
      readonly op: ScalarOp;
      readonly value: number;
      readonly at: Place;
    };

export type Hints = ReadonlyMap<string, Literal>;

export type Query =
  | { readonly type: "spans"; readonly stages: readonly Stage[]; readonly hints: Hints }
  | { readonly type: "metrics"; readonly expr: MetricExpr; readonly hints: Hints };
