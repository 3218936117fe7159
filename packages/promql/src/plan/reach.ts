/**
 * Whether a step of a range query depends on nothing but its own time, and how far around that time it looks: then steps of
 * an earlier answer can stand in a later one.
 */
import { childrenOf, type Expr } from "../syntax/ast.ts";
import { parse } from "../syntax/parse.ts";

export interface StepReach {
  /** The oldest sample a step looks at is less than this older than the step. */
  readonly backMs: number;
  /** The newest is at most this much newer: negative offsets look ahead. */
  readonly aheadMs: number;
}

const rememberedMax = 1000;

/** What is known of query texts that are asked again and again. */
export class Reaches {
  readonly #known = new Map<string, StepReach | undefined>();
  readonly #parse: (text: string) => Expr;

  constructor(parseText: (text: string) => Expr = parse) {
    this.#parse = parseText;
  }

  /** As `stepReach`. Throws `PromqlSyntaxError`. */
  of(text: string, lookbackMs: number): StepReach | undefined {
    const key = `${lookbackMs} ${text}`;
    const known = this.#known.get(key);
    if (known || this.#known.has(key)) return known;
    if (this.#known.size >= rememberedMax) this.#known.clear();
    const reach = stepReach(this.#parse(text), lookbackMs);
    this.#known.set(key, reach);
    return reach;
  }
}

/** They speak of the whole query, or choose series by more than their values at the step. */
const unboundCalls = new Set(["start", "end", "step", "range", "info"]);
const unboundAggregates = new Set(["limitk", "limit_ratio"]);

/** Undefined when steps depend on more: `@`, the query's own bounds, durations that are computed. */
export function stepReach(expr: Expr, lookbackMs: number): StepReach | undefined {
  switch (expr.kind) {
    case "vector-selector":
      return expr.extend ? undefined : shifted(expr, { backMs: lookbackMs, aheadMs: 0 });
    case "matrix-selector":
      if (typeof expr.range !== "number" || expr.selector.extend) return undefined;
      return shifted(expr.selector, { backMs: expr.range, aheadMs: 0 });
    case "subquery": {
      const inner = stepReach(expr.expr, lookbackMs);
      if (!inner || typeof expr.range !== "number" || typeof expr.step === "object")
        return undefined;
      return shifted(expr, { ...inner, backMs: inner.backMs + expr.range });
    }
    case "call":
      return unboundCalls.has(expr.name) ? undefined : widest(childrenOf(expr), lookbackMs);
    case "aggregate":
      return unboundAggregates.has(expr.op) ? undefined : widest(childrenOf(expr), lookbackMs);
    default:
      return widest(childrenOf(expr), lookbackMs);
  }
}

function shifted(
  { at, offset = 0 }: Pick<Extract<Expr, { kind: "subquery" }>, "at" | "offset">,
  { backMs, aheadMs }: StepReach,
): StepReach | undefined {
  if (at !== undefined || typeof offset !== "number") return undefined;
  return { backMs: Math.max(0, backMs + offset), aheadMs: Math.max(0, aheadMs - offset) };
}

function widest(exprs: readonly Expr[], lookbackMs: number): StepReach | undefined {
  let backMs = 0;
  let aheadMs = 0;
  for (const expr of exprs) {
    const reach = stepReach(expr, lookbackMs);
    if (!reach) return undefined;
    backMs = Math.max(backMs, reach.backMs);
    aheadMs = Math.max(aheadMs, reach.aheadMs);
  }
  return { backMs, aheadMs };
}
