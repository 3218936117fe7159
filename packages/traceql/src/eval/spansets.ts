/**
 * Evaluates a pipeline on one trace. A trace enters as one set of all its spans; each stage gets sets and gives sets, and
 * none of them is ever empty. Whatever is left at the end is the answer.
 */
import type { AttributeValue } from "@skopos/model";
import type { FieldExpr, ScalarExpr, ScalarOp, SpansetExpr, Stage } from "../syntax/ast.ts";
import { formatExpr } from "../syntax/format.ts";
import { compileExpr, compileFilter } from "./expression.ts";
import { relate } from "./structure.ts";
import type { TraceTree } from "./trace-tree.ts";
import { comparison, Several, type Value } from "./values.ts";

export interface EvaluatedSet {
  /** Marks by span index. */
  readonly marks: Uint8Array;
  /** What stages said of the set: `by(name)`, `count()`. */
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

export type Pipeline = (tree: TraceTree) => EvaluatedSet[];
type Step = (tree: TraceTree, sets: readonly EvaluatedSet[]) => EvaluatedSet[];
type Select = (tree: TraceTree, marks: Uint8Array) => EvaluatedSet[];

const nothing: ReadonlyMap<string, AttributeValue> = new Map();

export function compilePipeline(stages: readonly Stage[]): Pipeline {
  const step = compileStages(stages);
  return (tree) =>
    step(tree, [{ marks: new Uint8Array(tree.spans.length).fill(1), attributes: nothing }]);
}

function compileStages(stages: readonly Stage[]): Step {
  const steps = stages.map(compileStage);
  return (tree, sets) => {
    let current = [...sets];
    for (const step of steps) {
      if (current.length === 0) return current;
      current = step(tree, current);
    }
    return current;
  };
}

function compileStage(stage: Stage): Step {
  switch (stage.type) {
    case "scalarFilter":
      return compileScalarFilter(stage.op, stage.left, stage.right);
    case "group":
      return compileGroup(stage.by);
    case "coalesce":
      return (_, sets) => [merged(sets)];
    case "select":
      return (_, sets) => [...sets];
    default: {
      const select = compileSpanset(stage);
      return (tree, sets) =>
        sets.flatMap(({ marks, attributes }) =>
          select(tree, marks).map((set) => ({
            marks: set.marks,
            attributes: new Map([...attributes, ...set.attributes]),
          })),
        );
    }
  }
}

function compileSpanset(expr: SpansetExpr): Select {
  switch (expr.type) {
    case "filter": {
      const test = compileFilter(expr.expr);
      return (tree, marks) => {
        const found = new Uint8Array(marks.length);
        for (const [i, span] of tree.spans.entries())
          if (marks[i] === 1 && test(span, tree, i)) found[i] = 1;
        return kept(found);
      };
    }
    case "pipeline": {
      const step = compileStages(expr.stages);
      return (tree, marks) => step(tree, [{ marks, attributes: nothing }]);
    }
    case "combine": {
      const left = compileSpanset(expr.left);
      const right = compileSpanset(expr.right);
      const { op } = expr;
      return (tree, marks) => {
        const a = left(tree, marks);
        const b = right(tree, marks);
        if (op === "||") return a.length + b.length === 0 ? [] : [merged([...a, ...b])];
        if (op === "&&") return a.length === 0 || b.length === 0 ? [] : [merged([...a, ...b])];
        if (b.length === 0) return [];
        const from = a.length === 0 ? new Uint8Array(marks.length) : merged(a).marks;
        return kept(relate(tree, op, from, merged(b).marks));
      };
    }
  }
}

function kept(marks: Uint8Array): EvaluatedSet[] {
  return marks.includes(1) ? [{ marks, attributes: nothing }] : [];
}

/** One set of the spans of all. */
function merged(sets: readonly EvaluatedSet[]): EvaluatedSet {
  const [first] = sets;
  if (first && sets.length === 1) return { marks: first.marks, attributes: nothing };
  const marks = new Uint8Array(first?.marks.length ?? 0);
  for (const set of sets)
    for (let i = 0; i < marks.length; i++) if (set.marks[i] === 1) marks[i] = 1;
  return { marks, attributes: nothing };
}

function compileGroup(by: FieldExpr): Step {
  const value = compileExpr(by);
  const name = `by(${formatExpr(by)})`;
  return (tree, sets) =>
    sets.flatMap(({ marks, attributes }) => {
      const groups = new Map<string, { marks: Uint8Array; value: AttributeValue | undefined }>();
      for (const [i, span] of tree.spans.entries()) {
        if (marks[i] !== 1) continue;
        const found = plainValue(value(span, tree, i));
        const key = JSON.stringify([found ?? null]);
        let group = groups.get(key);
        if (!group)
          groups.set(key, (group = { marks: new Uint8Array(marks.length), value: found }));
        group.marks[i] = 1;
      }
      return [...groups.values()].map((group) => ({
        marks: group.marks,
        attributes: new Map([...attributes, [name, group.value ?? "nil"]]),
      }));
    });
}

/** As one value: of several the first. */
export function plainValue(value: Value): AttributeValue | undefined {
  return value instanceof Several ? value.values[0] : value;
}

function compileScalarFilter(op: ScalarOp, left: ScalarExpr, right: ScalarExpr): Step {
  const compare = comparison(op);
  const a = compileScalar(left);
  const b = compileScalar(right);
  const name = left.type === "aggregate" ? aggregateName(left) : undefined;
  return (tree, sets) =>
    sets.flatMap(({ marks, attributes }) => {
      const value = a(tree, marks);
      if (!compare(value, b(tree, marks))) return [];
      if (name === undefined || value === undefined) return [{ marks, attributes }];
      return [{ marks, attributes: new Map([...attributes, [name, value]]) }];
    });
}

type Aggregate = Extract<ScalarExpr, { type: "aggregate" }>;
type Scalar = (tree: TraceTree, marks: Uint8Array) => number | undefined;

function aggregateName({ name, expr }: Aggregate): string {
  return `${name}(${expr ? formatExpr(expr) : ""})`;
}

function compileScalar(expr: ScalarExpr): Scalar {
  if (expr.type === "number") return () => expr.value;
  // Validation lets nothing else through.
  return expr.type === "aggregate" ? compileAggregate(expr) : () => undefined;
}

function compileAggregate({ name, expr }: Aggregate): Scalar {
  if (!expr) return (_, marks) => marks.reduce((sum, mark) => sum + mark, 0);
  const value = compileExpr(expr);
  return (tree, marks) => {
    let count = 0;
    let sum = 0;
    let min = Infinity;
    let max = -Infinity;
    for (const [i, span] of tree.spans.entries()) {
      if (marks[i] !== 1) continue;
      const found = value(span, tree, i);
      if (typeof found !== "number") continue;
      count += 1;
      sum += found;
      min = Math.min(min, found);
      max = Math.max(max, found);
    }
    if (count === 0) return undefined;
    return { count, sum, min, max, avg: sum / count }[name];
  };
}
