import { RE2JS } from "re2js";
import { SkoposError } from "./errors.ts";

/**
 * An anchored RE2 pattern as label matchers use it, taken apart where it is simple. `literals` is the full set of strings
 * that match, when that set is small and known: an index can look them up instead of testing every value.
 */
export interface AnchoredPattern {
  readonly source: string;
  readonly literals: readonly string[] | undefined;
  /** Every match starts with this ("" when unknown). */
  readonly prefix: string;
  test(value: string): boolean;
}

const literalsMax = 1000;
const meta = /[\\.+*?()|[\]{}^$]/;

/** Splits `a|b|c` into its parts when every part is plain text. */
function plainAlternatives(source: string): string[] | undefined {
  let body = source;
  const group = /^\((?:\?:)?([^()]*)\)$/.exec(body);
  if (group) body = group[1] ?? "";
  const parts = body.split("|").map((part) => part.replace(/\\([.\-/])/g, "\u0001$1"));
  if (parts.length > literalsMax) return undefined;
  const plain = parts.map((part) => part.replaceAll(/\u0001[.\-/]/g, "_"));
  if (plain.some((part) => meta.test(part))) return undefined;
  return [...new Set(parts.map((part) => part.replaceAll("\u0001", "")))];
}

/** Plain text with single characters left open, as in `5..`. */
const anyChars = /^[A-Za-z0-9_./:-]+$/;

/** Compiles an anchored pattern with RE2 semantics (linear time). Throws `bad-regex`. */
export function compileAnchored(source: string): AnchoredPattern {
  const literals = plainAlternatives(source);
  if (literals) {
    const set = new Set(literals);
    return {
      source,
      literals,
      prefix: literals.length === 1 ? (literals[0] ?? "") : "",
      test: (v) => set.has(v),
    };
  }
  if (source === ".*")
    return { source, literals: undefined, prefix: "", test: (v) => !v.includes("\n") };
  if (source === ".+")
    return { source, literals: undefined, prefix: "", test: (v) => v !== "" && !v.includes("\n") };
  const prefixed = /^((?:[^\\.+*?()|[\]{}^$]|\\[.\-/])+)\.\*$/.exec(source);
  if (prefixed) {
    const prefix = (prefixed[1] ?? "").replaceAll("\\", "");
    return {
      source,
      literals: undefined,
      prefix,
      test: (v) => v.startsWith(prefix) && !v.includes("\n", prefix.length),
    };
  }
  if (anyChars.test(source)) {
    // As RE2's dot: any character but a line feed.
    const pattern = new RegExp(`^${source.replaceAll(".", "[^\\n]")}$`, "u");
    return { source, literals: undefined, prefix: "", test: (v) => pattern.test(v) };
  }
  const compiled = compileRegex(source);
  return { source, literals: undefined, prefix: "", test: (v) => compiled.matcher(v).matches() };
}

/** Compiles an RE2 pattern. Throws `bad-regex` with the reason. */
export function compileRegex(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (cause) {
    throw new SkoposError(
      "bad-regex",
      `invalid regular expression ${JSON.stringify(source)}: ${String(cause)}`,
      { cause },
    );
  }
}
