/** What a query cost, as rows of an indented tree: an operator, then its inputs. */
import type { QueryExplanation } from "@skopos/api";

type Operator = QueryExplanation["operators"][number];

export interface CostRow extends Operator {
  /** Without the inputs. */
  readonly ownMs: number;
  /** Of the whole evaluation. */
  readonly share: number;
  readonly words: string;
}

const words: Readonly<Record<string, string>> = {
  select: "look up series",
  "range-call": "over a window",
  call: "function",
  "from-scalar": "number as a series",
  aggregate: "aggregate",
  "vector-scalar": "with a number",
  "vector-vector": "match series with series",
  set: "combine sets",
  negate: "negate",
  invariant: "once for all steps",
};

interface Subtree {
  readonly rows: readonly CostRow[];
  readonly elapsedMs: number;
}

/** `operators` stand after their inputs; the rows stand before them. */
export function costRows({ operators }: Pick<QueryExplanation, "operators">): CostRow[] {
  const wholeMs = operators.at(-1)?.elapsedMs ?? 0;
  const waiting: Subtree[][] = [];
  for (const operator of operators) {
    const { depth, elapsedMs } = operator;
    const inputs = waiting[depth + 1] ?? [];
    waiting[depth + 1] = [];
    const ownMs = Math.max(
      0,
      inputs.reduce((rest, input) => rest - input.elapsedMs, elapsedMs),
    );
    const row = {
      ...operator,
      ownMs,
      share: wholeMs > 0 ? ownMs / wholeMs : 0,
      words: words[operator.operator] ?? operator.operator,
    };
    const rows = [row, ...inputs.flatMap((input) => input.rows)];
    (waiting[depth] ??= []).push({ rows, elapsedMs });
  }
  return (waiting[0] ?? []).flatMap(({ rows }) => rows);
}
