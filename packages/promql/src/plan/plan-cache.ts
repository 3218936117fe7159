/**
 * Plans of query texts that are asked again and again, as dashboards and rules do. Kept are only plans that are the same
 * over every grid of steps: those of queries that do not speak of their own bounds (see `reach.ts`). Plans are not written
 * after they are made, so queries share them. Bounded by `textsMax`; what was not asked for longest goes first.
 */
import type { Expr, ValueType } from "../syntax/ast.ts";
import type { SyntaxFeatures } from "../syntax/cursor.ts";
import { parse } from "../syntax/parse.ts";
import { typeOf } from "../syntax/type-check.ts";
import { buildPlan, type PlanContext } from "./build.ts";
import { hoistInvariants, sharedTexts } from "./optimise.ts";
import type { Root } from "./plan.ts";
import { stepReach } from "./reach.ts";

const textsMax = 1000;
/** Longer texts are not worth their room. */
const textLengthMax = 20_000;

interface Planned {
  readonly root: Root;
  /** See `sharedTexts`. */
  readonly shared: ReadonlySet<string>;
}

interface Entry {
  readonly expr: Expr;
  readonly type: ValueType;
  /** Whether its plan depends on the grid; such plans are not kept. */
  readonly isBound: boolean;
  /** Once it was asked for. */
  planned: Planned | undefined;
}

/** For one set of syntax features and one default step of subqueries. */
export class PlanCache {
  readonly #features: Partial<SyntaxFeatures>;
  readonly #subqueryStepMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(features: Partial<SyntaxFeatures>, subqueryStepMs: number) {
    this.#features = features;
    this.#subqueryStepMs = subqueryStepMs;
  }

  /** Throws `PromqlSyntaxError` and "bad-query". `accepts` is asked before the plan is made. */
  of(text: string, grid: PlanContext["grid"], accepts: (type: ValueType) => void): Planned {
    const entry = this.#entryOf(text);
    accepts(entry.type);
    const planned = entry.planned ?? this.#plan(entry.expr, grid);
    if (!entry.isBound) entry.planned = planned;
    return planned;
  }

  /** The text's syntax tree, for those who look at a query before it is planned. Throws as `of`. */
  parsed(text: string): Expr {
    return this.#entryOf(text).expr;
  }

  #entryOf(text: string): Entry {
    const known = this.#entries.get(text);
    if (known) {
      this.#entries.delete(text);
      this.#entries.set(text, known);
      return known;
    }
    const expr = parse(text, this.#features);
    const isBound = stepReach(expr, 0) === undefined;
    const entry = { expr, type: typeOf(expr), isBound, planned: undefined };
    if (text.length > textLengthMax) return entry;
    if (this.#entries.size >= textsMax) this.#forgetOldest();
    this.#entries.set(text, entry);
    return entry;
  }

  #plan(expr: Expr, grid: PlanContext["grid"]): Planned {
    const root = hoistInvariants(buildPlan(expr, { grid, subqueryStepMs: this.#subqueryStepMs }));
    return { root, shared: sharedTexts(root) };
  }

  #forgetOldest(): void {
    for (const text of this.#entries.keys()) {
      this.#entries.delete(text);
      return;
    }
  }
}
