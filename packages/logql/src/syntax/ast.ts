/** The tree of a LogQL query. Source: Loki's `pkg/logql/syntax`. */
import type { Matcher, MatchOp } from "@skopos/model";

export type LineFilterOp = "|=" | "!=" | "|~" | "!~" | "|>" | "!>";
export type NumberOp = "==" | "!=" | ">" | ">=" | "<" | "<=";

export interface LineFilterOperand {
  /** "ip": an address, a range `a-b` or a CIDR, found anywhere in the line. */
  readonly type: "text" | "ip";
  readonly value: string;
}

export type LabelFilter =
  | { readonly type: "text"; readonly name: string; readonly op: MatchOp; readonly value: string }
  | { readonly type: "ip"; readonly name: string; readonly op: "=" | "!="; readonly value: string }
  | {
      readonly type: "number" | "duration" | "bytes";
      readonly name: string;
      readonly op: NumberOp;
      /** Durations in seconds. */
      readonly value: number;
      /** As it was written. */
      readonly text: string;
    }
  | { readonly type: "and" | "or"; readonly left: LabelFilter; readonly right: LabelFilter };

/** `name` takes the value of `expression`, which is the parser's own kind of path. */
export interface Extraction {
  readonly name: string;
  readonly expression: string;
}

export interface LabelFormat {
  readonly name: string;
  readonly type: "rename" | "template";
  readonly value: string;
}

/** A label, or one only where its value matches. */
export interface LabelTarget {
  readonly name: string;
  readonly matcher?: Matcher;
}

export interface LineFilterStage {
  readonly type: "line";
  readonly op: LineFilterOp;
  readonly operands: readonly LineFilterOperand[];
}

export type Stage =
  | LineFilterStage
  | { readonly type: "json"; readonly fields: readonly Extraction[] }
  | {
      readonly type: "logfmt";
      readonly strict: boolean;
      readonly keepEmpty: boolean;
      readonly fields: readonly Extraction[];
    }
  | { readonly type: "pattern" | "regexp"; readonly pattern: string }
  | { readonly type: "unpack" | "decolorize" }
  | { readonly type: "label"; readonly filter: LabelFilter }
  | { readonly type: "line_format"; readonly template: string }
  | { readonly type: "label_format"; readonly formats: readonly LabelFormat[] }
  | { readonly type: "drop" | "keep"; readonly targets: readonly LabelTarget[] };

export interface LogSelector {
  readonly type: "log";
  readonly matchers: readonly Matcher[];
  readonly stages: readonly Stage[];
}

export interface Unwrap {
  readonly label: string;
  readonly conversion: "bytes" | "duration" | "duration_seconds" | undefined;
  /** After the value was taken. */
  readonly filters: readonly LabelFilter[];
}

export interface Grouping {
  readonly type: "by" | "without";
  readonly names: readonly string[];
}

export interface RangeAggregation {
  readonly type: "range";
  readonly func: string;
  /** Of quantile_over_time. */
  readonly parameter: number | undefined;
  readonly selector: LogSelector;
  readonly unwrap: Unwrap | undefined;
  readonly rangeMs: number;
  readonly offsetMs: number;
  readonly grouping: Grouping | undefined;
}

export interface VectorAggregation {
  readonly type: "aggregate";
  readonly op: string;
  /** Of topk and its like. */
  readonly parameter: number | undefined;
  readonly grouping: Grouping | undefined;
  readonly inner: MetricExpr;
}

type SetOp = "and" | "or" | "unless";
type ArithmeticOp = "+" | "-" | "*" | "/" | "%" | "^";
export type BinaryOp = SetOp | NumberOp | ArithmeticOp;

export interface VectorMatching {
  readonly type: "on" | "ignoring";
  readonly names: readonly string[];
  /** The side with many series. */
  readonly group: "left" | "right" | undefined;
  readonly include: readonly string[];
}

export interface Binary {
  readonly type: "binary";
  readonly op: BinaryOp;
  readonly bool: boolean;
  readonly matching: VectorMatching | undefined;
  readonly left: MetricExpr;
  readonly right: MetricExpr;
}

export interface LabelReplace {
  readonly type: "label_replace";
  readonly inner: MetricExpr;
  readonly target: string;
  readonly replacement: string;
  readonly source: string;
  readonly pattern: string;
}

export type MetricExpr =
  | RangeAggregation
  | VectorAggregation
  | Binary
  | LabelReplace
  | { readonly type: "number" | "vector"; readonly value: number };

export type LogqlExpr = LogSelector | MetricExpr;
