/**
 * The logical plan: what to compute, with every `@`, offset and duration resolved to milliseconds and every type settled.
 * Nodes are evaluated over a grid of steps that is handed in from above (subqueries make their own), so a node carries no
 * times of its own except where `@` fixes them.
 */
import type { Matcher } from "@skopos/model";
import type {
  AggregateOp,
  ArithmeticOp,
  ComparisonOp,
  SetOp,
  Span,
  TrimOp,
  VectorMatching,
} from "../syntax/ast.ts";

/** Equally spaced evaluation times: startMs, startMs + stepMs, … `count` of them. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** Which time a selector looks at, given the evaluation time: (at ?? now) − offset. */
export interface TimeReference {
  readonly offsetMs: number;
  readonly atMs: number | undefined;
}

export interface NodeBase {
  readonly id: number;
  /** Where the expression stands in the query. */
  readonly span: Span;
  /** The expression as text: equal texts on equal grids have equal results. */
  readonly text: string;
}

export interface SelectNode extends NodeBase {
  readonly kind: "select";
  readonly matchers: readonly Matcher[];
  readonly reference: TimeReference;
  /** What becomes the value: the sample's, or its timestamp in seconds. */
  readonly take: "value" | "time";
  readonly extend: "smoothed" | undefined;
}

export interface WindowSelect extends NodeBase {
  readonly kind: "window-select";
  readonly matchers: readonly Matcher[];
  readonly reference: TimeReference;
  readonly rangeMs: number;
  readonly extend: "anchored" | "smoothed" | undefined;
}

export interface WindowSubquery extends NodeBase {
  readonly kind: "window-subquery";
  readonly input: VectorNode;
  readonly reference: TimeReference;
  readonly rangeMs: number;
  readonly stepMs: number;
}

export type WindowNode = WindowSelect | WindowSubquery;

interface RangeCallNode extends NodeBase {
  readonly kind: "range-call";
  readonly name: string;
  readonly window: WindowNode;
  readonly params: readonly ScalarNode[];
}

/** A function from instant vectors (and scalars, strings) to an instant vector. */
export interface CallNode extends NodeBase {
  readonly kind: "call";
  readonly name: string;
  readonly inputs: readonly VectorNode[];
  readonly scalars: readonly ScalarNode[];
  readonly strings: readonly string[];
  /** What absent() and absent_over_time() looked for; what info() selects info series by. */
  readonly matchers: readonly Matcher[];
}

/** vector(scalar), and the date functions without an argument. */
interface FromScalarNode extends NodeBase {
  readonly kind: "from-scalar";
  readonly scalar: ScalarNode;
}

export interface AggregateNode extends NodeBase {
  readonly kind: "aggregate";
  readonly op: AggregateOp;
  readonly without: boolean;
  readonly labels: readonly string[];
  readonly param: ScalarNode | undefined;
  readonly paramText: string;
  readonly input: VectorNode;
}

export interface VectorScalarNode extends NodeBase {
  readonly kind: "vector-scalar";
  readonly op: ArithmeticOp | ComparisonOp | TrimOp;
  readonly bool: boolean;
  readonly vector: VectorNode;
  readonly scalar: ScalarNode;
  readonly scalarOnLeft: boolean;
}

export interface VectorVectorNode extends NodeBase {
  readonly kind: "vector-vector";
  readonly op: ArithmeticOp | ComparisonOp | TrimOp;
  readonly bool: boolean;
  readonly left: VectorNode;
  readonly right: VectorNode;
  readonly matching: VectorMatching;
}

export interface SetNode extends NodeBase {
  readonly kind: "set";
  readonly op: SetOp;
  readonly left: VectorNode;
  readonly right: VectorNode;
  readonly matching: VectorMatching;
}

interface NegateNode extends NodeBase {
  readonly kind: "negate";
  readonly input: VectorNode;
}

/** Evaluated once and repeated over the grid. */
interface InvariantNode extends NodeBase {
  readonly kind: "invariant";
  readonly input: VectorNode;
}

export type VectorNode =
  | SelectNode
  | RangeCallNode
  | CallNode
  | FromScalarNode
  | AggregateNode
  | VectorScalarNode
  | VectorVectorNode
  | SetNode
  | NegateNode
  | InvariantNode;

export type ScalarNode =
  | (NodeBase & { readonly kind: "constant"; readonly value: number })
  | (NodeBase & { readonly kind: "time" })
  | (NodeBase & { readonly kind: "to-scalar"; readonly input: VectorNode })
  | (NodeBase & {
      readonly kind: "scalar-binary";
      readonly op: ArithmeticOp | ComparisonOp | "min_of" | "max_of";
      readonly left: ScalarNode;
      readonly right: ScalarNode;
    });

export type PlanNode = VectorNode | ScalarNode | WindowNode;

export type Root =
  | { readonly type: "vector"; readonly node: VectorNode }
  | { readonly type: "scalar"; readonly node: ScalarNode }
  | { readonly type: "matrix"; readonly node: WindowNode }
  | { readonly type: "string"; readonly value: string };

export function childrenOfNode(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case "range-call":
      return [node.window, ...node.params];
    case "window-subquery":
    case "negate":
    case "invariant":
    case "to-scalar":
      return [node.input];
    case "call":
      return [...node.inputs, ...node.scalars];
    case "from-scalar":
      return [node.scalar];
    case "aggregate":
      return node.param ? [node.param, node.input] : [node.input];
    case "vector-scalar":
      return [node.vector, node.scalar];
    case "vector-vector":
    case "set":
    case "scalar-binary":
      return [node.left, node.right];
    default:
      return [];
  }
}

/** The time a selector looks at when the grid stands at `timeMs`. */
export function referenceTime({ atMs, offsetMs }: TimeReference, timeMs: number): number {
  return (atMs ?? timeMs) - offsetMs;
}

export function lastTime(grid: Grid): number {
  return grid.startMs + (grid.count - 1) * grid.stepMs;
}

/** The grid a subquery evaluates its inner expression on: multiples of its step inside all the windows together. */
export function subqueryGrid(node: WindowSubquery, outer: Grid): Grid {
  const from = referenceTime(node.reference, outer.startMs) - node.rangeMs;
  const to = referenceTime(node.reference, lastTime(outer));
  const startMs = (Math.floor(from / node.stepMs) + 1) * node.stepMs;
  const count = Math.max(0, Math.floor((to - startMs) / node.stepMs) + 1);
  return { startMs, stepMs: node.stepMs, count };
}
