import { type AnchoredPattern, compileAnchored } from "./regex.ts";
import type { LabelSet } from "./labels.ts";

export type MatchOp = "=" | "!=" | "=~" | "!~";

/** A label matcher as data: it crosses threads and wires. An absent label has the value "". */
export interface Matcher {
  readonly op: MatchOp;
  readonly name: string;
  readonly value: string;
}

/** A matcher made ready to test values. `pattern` is there for the regex operators. */
export interface CompiledMatcher extends Matcher {
  readonly pattern: AnchoredPattern | undefined;
  test(value: string): boolean;
}

/** Throws `bad-regex`. */
export function compileMatcher(matcher: Matcher): CompiledMatcher {
  const { op, name, value } = matcher;
  if (op === "=") return { op, name, value, pattern: undefined, test: (v) => v === value };
  if (op === "!=") return { op, name, value, pattern: undefined, test: (v) => v !== value };
  const pattern = compileAnchored(value);
  const test = (v: string) => pattern.test(v) === (op === "=~");
  return { op, name, value, pattern, test };
}

/** Whether a label set satisfies every matcher. */
export function matchesAll(matchers: readonly CompiledMatcher[], labels: LabelSet): boolean {
  return matchers.every((matcher) => matcher.test(labels.get(matcher.name)));
}
