/**
 * Rewrites that change the work, not the result: parts whose value is the same at every step are evaluated once, and parts
 * that occur more than once are shared.
 */
import {
  childrenOfNode,
  type PlanNode,
  type Root,
  type ScalarNode,
  type VectorNode,
  type WindowNode,
} from "./plan.ts";

/** Wraps the largest step-invariant vectors. Over a single step there is nothing to save. */
export function hoistInvariants(root: Root): Root {
  return root.type === "vector" ? { type: "vector", node: hoist(root.node) } : root;
}

/** Whether the value does not depend on the evaluation time. */
function isInvariant(node: PlanNode): boolean {
  switch (node.kind) {
    case "select":
    case "window-select":
    case "window-subquery":
      return node.reference.atMs !== undefined;
    case "time":
      return false;
    case "constant":
      return true;
    case "range-call":
      // Extrapolates to the evaluation time, not to the window's.
      if (node.name === "predict_linear") return false;
      break;
    case "call":
      // Their value is the evaluation time itself.
      if (node.name === "timestamp") return false;
      break;
    default:
  }
  return childrenOfNode(node).every(isInvariant);
}

function hoist(node: VectorNode): VectorNode {
  if (node.kind !== "from-scalar" && isInvariant(node)) {
    return { id: -node.id, span: node.span, text: node.text, kind: "invariant", input: node };
  }
  return mapChildren(node);
}

function mapChildren(node: VectorNode): VectorNode {
  switch (node.kind) {
    case "range-call":
      return { ...node, window: hoistWindow(node.window), params: node.params.map(hoistScalar) };
    case "call":
      return {
        ...node,
        inputs: node.inputs.map(hoist),
        scalars: node.scalars.map(hoistScalar),
      };
    case "from-scalar":
      return { ...node, scalar: hoistScalar(node.scalar) };
    case "aggregate":
      return {
        ...node,
        input: hoist(node.input),
        param: node.param && hoistScalar(node.param),
      };
    case "vector-scalar":
      return { ...node, vector: hoist(node.vector), scalar: hoistScalar(node.scalar) };
    case "vector-vector":
    case "set":
      return { ...node, left: hoist(node.left), right: hoist(node.right) };
    case "negate":
      return { ...node, input: hoist(node.input) };
    default:
      return node;
  }
}

function hoistWindow(node: WindowNode): WindowNode {
  return node.kind === "window-subquery" ? { ...node, input: hoist(node.input) } : node;
}

function hoistScalar(node: ScalarNode): ScalarNode {
  if (node.kind === "to-scalar") return { ...node, input: hoist(node.input) };
  if (node.kind !== "scalar-binary") return node;
  return { ...node, left: hoistScalar(node.left), right: hoistScalar(node.right) };
}

/** Texts of the vectors that occur more than once. */
export function sharedTexts(root: Root): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  const visit = (node: PlanNode): void => {
    if (seen.has(node.text)) shared.add(node.text);
    seen.add(node.text);
    // The wrapped node has the wrapper's text: that is one occurrence, not two.
    if (node.kind === "invariant") childrenOfNode(node.input).forEach(visit);
    else childrenOfNode(node).forEach(visit);
  };
  if (root.type !== "string") visit(root.node);
  return shared;
}
