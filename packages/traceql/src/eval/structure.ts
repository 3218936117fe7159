/** Relations of spans in a trace, for whole sets at once: each in one pass over the trace. Sets are marks by span index. */
import type { Relation, StructuralOp } from "../syntax/ast.ts";
import type { TraceTree } from "./trace-tree.ts";

const inverse: Readonly<Record<Relation, Relation>> = {
  ">": "<",
  "<": ">",
  ">>": "<<",
  "<<": ">>",
  "~": "~",
};

/** What `left op right` selects: of the right side, and with "&" of both. */
export function relate(
  tree: TraceTree,
  op: StructuralOp,
  left: Uint8Array,
  right: Uint8Array,
): Uint8Array {
  const modifier = op[0] === "!" || op[0] === "&" ? op[0] : "";
  // What is left of an operator without its modifier.
  const relation = op.slice(modifier.length) as Relation;
  const related = relatedTo(tree, relation, left);
  const selected = new Uint8Array(right.length);
  const wanted = modifier === "!" ? 0 : 1;
  for (let i = 0; i < selected.length; i++)
    selected[i] = right[i] === 1 && related[i] === wanted ? 1 : 0;
  if (modifier !== "&") return selected;
  const back = relatedTo(tree, inverse[relation], right);
  for (let i = 0; i < selected.length; i++) if (left[i] === 1 && back[i] === 1) selected[i] = 1;
  return selected;
}

/** Marks every span that is a child (>), descendant (>>), parent (<), ancestor (<<) or sibling (~) of a marked one. */
function relatedTo(tree: TraceTree, relation: Relation, marks: Uint8Array): Uint8Array {
  switch (relation) {
    case ">":
      return below(tree, marks, false);
    case ">>":
      return below(tree, marks, true);
    case "<":
      return above(tree, marks, false);
    case "<<":
      return above(tree, marks, true);
    case "~":
      return beside(tree, marks);
  }
}

function below({ order, parent }: TraceTree, marks: Uint8Array, deep: boolean): Uint8Array {
  const found = new Uint8Array(marks.length);
  for (const index of order) {
    const up = parent[index] ?? -1;
    if (up >= 0 && (marks[up] === 1 || (deep && found[up] === 1))) found[index] = 1;
  }
  return found;
}

function above({ order, parent }: TraceTree, marks: Uint8Array, deep: boolean): Uint8Array {
  const found = new Uint8Array(marks.length);
  for (let i = order.length - 1; i >= 0; i--) {
    const index = order[i] ?? 0;
    const up = parent[index] ?? -1;
    if (up >= 0 && (marks[index] === 1 || (deep && found[index] === 1))) found[up] = 1;
  }
  return found;
}

/** Spans of one parent, and spans that name the same missing parent. */
function beside({ parent, spans }: TraceTree, marks: Uint8Array): Uint8Array {
  const counts = new Map<number | string, number>();
  const family = (i: number) => {
    const up = parent[i] ?? -1;
    return up >= 0 ? up : (spans[i]?.parentSpanId ?? "");
  };
  for (let i = 0; i < marks.length; i++)
    if (marks[i] === 1) counts.set(family(i), (counts.get(family(i)) ?? 0) + 1);
  const found = new Uint8Array(marks.length);
  for (let i = 0; i < marks.length; i++) {
    const of = family(i);
    if (of !== "" && (counts.get(of) ?? 0) > (marks[i] ?? 0)) found[i] = 1;
  }
  return found;
}
