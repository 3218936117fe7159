/** From syntax tree to plan: resolves times and durations and picks the operator for each expression. */
import type { Matcher } from "@skopos/model";
import { metricNameLabel, SkoposError } from "@skopos/model";
import {
  type Aggregate,
  type Binary,
  type Call,
  type Duration,
  type Expr,
  isSetOp,
  unwrapParens,
  type VectorMatching,
  type VectorSelector,
} from "../syntax/ast.ts";
import { formatExpr } from "../syntax/format.ts";
import { functionTable } from "../syntax/functions.ts";
import { resolveDurationExpr } from "../syntax/parse-duration.ts";
import { typeOf } from "../syntax/type-check.ts";
import type {
  AggregateNode,
  Grid,
  NodeBase,
  PlanNode,
  Root,
  ScalarNode,
  TimeReference,
  VectorNode,
  WindowNode,
} from "./plan.ts";
import { childrenOfNode, lastTime } from "./plan.ts";

export interface PlanContext {
  readonly grid: Grid;
  /** Step of subqueries that name none. */
  readonly subqueryStepMs: number;
}

export function buildPlan(expr: Expr, context: PlanContext): Root {
  return new Builder(context).root(expr);
}

const defaultMatching: VectorMatching = {
  on: false,
  labels: [],
  card: "one-to-one",
  include: [],
  fillLeft: undefined,
  fillRight: undefined,
};

class Builder {
  readonly #context: PlanContext;
  readonly #texts = new Map<Expr, string>();
  readonly #stepSeconds: number;
  readonly #rangeSeconds: number;
  #nextId = 0;

  constructor(context: PlanContext) {
    this.#context = context;
    const { grid } = context;
    this.#stepSeconds = grid.count > 1 ? grid.stepMs / 1000 : 0;
    this.#rangeSeconds = (lastTime(grid) - grid.startMs) / 1000;
  }

  root(expr: Expr): Root {
    switch (typeOf(expr)) {
      case "string":
        return { type: "string", value: stringValue(expr) };
      case "scalar":
        return { type: "scalar", node: this.scalar(expr) };
      case "matrix":
        return { type: "matrix", node: this.window(expr) };
      case "vector":
        return { type: "vector", node: this.vector(expr) };
    }
  }

  #base(expr: Expr): NodeBase {
    this.#nextId += 1;
    return {
      id: this.#nextId,
      span: { start: expr.start, end: expr.end },
      text: formatExpr(expr, this.#texts),
    };
  }

  #durationMs(duration: Duration, what: string): number {
    if (typeof duration === "number") return duration;
    const seconds = resolveDurationExpr(duration, this.#stepSeconds, this.#rangeSeconds);
    if (seconds === undefined || !Number.isFinite(seconds))
      throw new SkoposError("bad-query", `${what} is not a finite duration`);
    return Math.trunc(seconds * 1000 + Math.sign(seconds) * 1e-6);
  }

  #positiveMs(duration: Duration, what: string): number {
    const ms = this.#durationMs(duration, what);
    if (ms <= 0) throw new SkoposError("bad-query", `${what} must be greater than 0`);
    return ms;
  }

  #reference(expr: Pick<VectorSelector, "at" | "offset">): TimeReference {
    const { grid } = this.#context;
    const edges = { start: grid.startMs, end: lastTime(grid) };
    const atMs = typeof expr.at === "string" ? edges[expr.at] : expr.at;
    return { atMs, offsetMs: this.#durationMs(expr.offset ?? 0, "offset") };
  }

  window(expr: Expr): WindowNode {
    const base = this.#base(expr);
    const inner = unwrapParens(expr);
    if (inner.kind === "matrix-selector") {
      const { selector } = inner;
      return {
        ...base,
        kind: "window-select",
        matchers: selector.matchers,
        reference: this.#reference(selector),
        rangeMs: this.#positiveMs(inner.range, "range"),
        extend: selector.extend,
      };
    }
    if (inner.kind !== "subquery") throw new SkoposError("bad-query", "expected a range vector");
    return {
      ...base,
      kind: "window-subquery",
      input: this.vector(inner.expr),
      reference: this.#reference(inner),
      rangeMs: this.#positiveMs(inner.range, "subquery range"),
      stepMs:
        inner.step === undefined
          ? this.#context.subqueryStepMs
          : this.#positiveMs(inner.step, "subquery step"),
    };
  }

  vector(expr: Expr): VectorNode {
    switch (expr.kind) {
      case "paren":
        return this.vector(expr.expr);
      case "vector-selector":
        return this.#select(expr, "value");
      case "call":
        return this.#call(expr);
      case "aggregate":
        return this.#aggregate(expr);
      case "binary":
        return this.#binary(expr);
      case "unary": {
        const input = this.vector(expr.expr);
        return expr.op === "+" ? input : { ...this.#base(expr), kind: "negate", input };
      }
      default:
        throw new SkoposError("bad-query", `not an instant vector: ${formatExpr(expr)}`);
    }
  }

  #select(expr: VectorSelector, take: "value" | "time"): VectorNode {
    const base = this.#base(expr);
    return {
      ...base,
      text: take === "time" ? `times of ${base.text}` : base.text,
      kind: "select",
      matchers: expr.matchers,
      reference: this.#reference(expr),
      take,
      extend: expr.extend === "smoothed" ? "smoothed" : undefined,
    };
  }

  #call(expr: Call): VectorNode {
    const base = this.#base(expr);
    const [first] = expr.args;
    const types = functionTable.get(expr.name)?.args ?? [];
    if (expr.name === "vector" && first)
      return { ...base, kind: "from-scalar", scalar: this.scalar(first) };
    const selector = first && unwrapParens(first);
    if (expr.name === "timestamp" && selector?.kind === "vector-selector") {
      const input = this.#select(selector, "time");
      return { ...this.#plainCall(base, "timestamp-of-sample"), inputs: [input] };
    }
    if (expr.name === "info" && first) return this.#info(expr, first);
    const windowArg = expr.args[types.indexOf("matrix")];
    const scalars = expr.args.filter((arg) => typeOf(arg) === "scalar");
    if (windowArg) {
      const window = this.window(windowArg);
      const params = scalars.map((arg) => this.scalar(arg));
      const node = { ...base, kind: "range-call", name: expr.name, window, params } as const;
      if (expr.name !== "absent_over_time") return node;
      // It keeps names, so that series which differ in nothing else do not collide.
      const present = { ...node, name: "last_over_time", text: `last of ${base.text}` };
      const matchers = matchersOfArgument(windowArg);
      return { ...this.#plainCall(base, "absent"), inputs: [present], matchers };
    }
    const vectors = expr.args.filter((arg) => typeOf(arg) === "vector");
    const inputs = vectors.map((arg) => this.vector(arg));
    if (types[0] === "vector" && expr.args.length === 0)
      inputs.push({
        ...base,
        text: "vector(time())",
        kind: "from-scalar",
        scalar: { ...base, text: "time()", kind: "time" },
      });
    return {
      ...this.#plainCall(base, expr.name),
      inputs,
      scalars: scalars.map((arg) => this.scalar(arg)),
      strings: expr.args.filter((arg) => typeOf(arg) === "string").map(stringValue),
      matchers: expr.name === "absent" && first ? matchersOfArgument(first) : [],
    };
  }

  /** The info series are looked up at the times the first selector of the argument looks at. */
  #info(expr: Call, first: Expr): VectorNode {
    const base = this.#base(expr);
    const second = expr.args[1] && unwrapParens(expr.args[1]);
    const matchers = infoMatchers(second?.kind === "vector-selector" ? second.matchers : []);
    const input = this.vector(first);
    const select: VectorNode = {
      ...base,
      text: `info series of ${base.text}`,
      kind: "select",
      matchers,
      reference: firstReference(input) ?? { atMs: undefined, offsetMs: 0 },
      take: "time",
      extend: undefined,
    };
    return { ...this.#plainCall(base, "info"), inputs: [input, select], matchers };
  }

  #plainCall(base: NodeBase, name: string) {
    const kind = "call" as const;
    return { ...base, kind, name, inputs: [], scalars: [], strings: [], matchers: [] };
  }

  #aggregate(expr: Aggregate): AggregateNode {
    const text = expr.op === "count_values" && expr.param ? stringValue(expr.param) : "";
    return {
      ...this.#base(expr),
      kind: "aggregate",
      op: expr.op,
      without: expr.without,
      labels: expr.labels,
      param:
        expr.param && !text && typeOf(expr.param) === "scalar"
          ? this.scalar(expr.param)
          : undefined,
      paramText: text,
      input: this.vector(expr.expr),
    };
  }

  #binary(expr: Binary): VectorNode {
    const base = this.#base(expr);
    const { op, bool } = expr;
    const leftScalar = typeOf(expr.left) === "scalar";
    const rightScalar = typeOf(expr.right) === "scalar";
    if (isSetOp(op)) {
      const card = "many-to-many" as const;
      const matching = { ...defaultMatching, ...expr.matching, card };
      const [left, right] = [this.vector(expr.left), this.vector(expr.right)];
      return { ...base, kind: "set", op, left, right, matching };
    }
    if (leftScalar || rightScalar) {
      return {
        ...base,
        kind: "vector-scalar",
        op,
        bool,
        vector: this.vector(leftScalar ? expr.right : expr.left),
        scalar: this.scalar(leftScalar ? expr.left : expr.right),
        scalarOnLeft: leftScalar,
      };
    }
    const matching = { ...defaultMatching, ...expr.matching };
    const [left, right] = [this.vector(expr.left), this.vector(expr.right)];
    return { ...base, kind: "vector-vector", op, bool, left, right, matching };
  }

  scalar(expr: Expr): ScalarNode {
    const base = this.#base(expr);
    const constant = (value: number): ScalarNode => ({ ...base, kind: "constant", value });
    switch (expr.kind) {
      case "paren":
        return this.scalar(expr.expr);
      case "number":
        return constant(expr.value);
      case "unary": {
        const input = this.scalar(expr.expr);
        if (expr.op === "+") return input;
        return { ...base, kind: "scalar-binary", op: "*", left: constant(-1), right: input };
      }
      case "binary": {
        const { op } = expr;
        if (isSetOp(op) || op === "</" || op === ">/") break;
        const [left, right] = [this.scalar(expr.left), this.scalar(expr.right)];
        return { ...base, kind: "scalar-binary", op, left, right };
      }
      case "call":
        return this.#scalarCall(expr, base, constant);
      default:
    }
    throw new SkoposError("bad-query", `not a scalar: ${base.text}`);
  }

  #scalarCall(expr: Call, base: NodeBase, constant: (value: number) => ScalarNode): ScalarNode {
    const { grid } = this.#context;
    const [first, second] = expr.args;
    switch (expr.name) {
      case "pi":
        return constant(Math.PI);
      case "time":
        return { ...base, kind: "time" };
      case "start":
        return constant(grid.startMs / 1000);
      case "end":
        return constant(lastTime(grid) / 1000);
      case "step":
        return constant(this.#stepSeconds);
      case "range":
        return constant(this.#rangeSeconds);
      case "scalar":
        if (first) return { ...base, kind: "to-scalar", input: this.vector(first) };
        break;
      case "min_of":
      case "max_of":
        if (first && second) {
          const [left, right] = [this.scalar(first), this.scalar(second)];
          return { ...base, kind: "scalar-binary", op: expr.name, left, right };
        }
        break;
      default:
    }
    throw new SkoposError("bad-query", `not a scalar: ${base.text}`);
  }
}

function stringValue(expr: Expr): string {
  const inner = unwrapParens(expr);
  return inner.kind === "string" ? inner.value : "";
}

function matchersOfArgument(arg: Expr): readonly Matcher[] {
  const inner = unwrapParens(arg);
  if (inner.kind === "vector-selector") return inner.matchers;
  return inner.kind === "matrix-selector" ? inner.selector.matchers : [];
}

/** Without a name the info metric is target_info; where names are only excluded it is any that ends in _info. */
function infoMatchers(matchers: readonly Matcher[]): readonly Matcher[] {
  const names = matchers.filter(({ name }) => name === metricNameLabel);
  if (names.some(({ op }) => op === "=" || op === "=~")) return matchers;
  const fallback: Matcher =
    names.length === 0
      ? { name: metricNameLabel, op: "=", value: "target_info" }
      : { name: metricNameLabel, op: "=~", value: ".+_info" };
  return [fallback, ...matchers];
}

/** The time reference of the first selector below a node; what stands further in comes on top, `@` replaces it. */
function firstReference(node: PlanNode): TimeReference | undefined {
  if (node.kind === "select" || node.kind === "window-select") return node.reference;
  for (const child of childrenOfNode(node)) {
    const inner = firstReference(child);
    if (!inner) continue;
    if (node.kind !== "window-subquery" || inner.atMs !== undefined) return inner;
    return { atMs: node.reference.atMs, offsetMs: node.reference.offsetMs + inner.offsetMs };
  }
  return undefined;
}
