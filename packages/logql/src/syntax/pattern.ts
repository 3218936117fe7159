/** Patterns like `<ip> - <_> "<method>`, of the `pattern` stage and of the filters `|>` and `!>`. Source: Loki's `pattern`. */

/** Literals and captures in turn. An unnamed capture, `<_>`, has the name "_". */
export type PatternPart =
  | { readonly type: "literal"; readonly text: string }
  | { readonly type: "capture"; readonly name: string };

export function parsePattern(source: string): PatternPart[] {
  const parts: PatternPart[] = [];
  let at = 0;
  for (const match of source.matchAll(/<([a-zA-Z_][a-zA-Z0-9_]*)>/g)) {
    if (match.index > at) parts.push({ type: "literal", text: source.slice(at, match.index) });
    parts.push({ type: "capture", name: match[1] ?? "_" });
    at = match.index + match[0].length;
  }
  if (at < source.length) parts.push({ type: "literal", text: source.slice(at) });
  return parts;
}

/** What is wrong with a pattern; undefined: nothing. */
export function patternFault(source: string, use: "stage" | "filter"): string | undefined {
  const parts = parsePattern(source);
  const names = parts.flatMap((part) => (part.type === "capture" ? [part.name] : []));
  const named = names.filter((name) => name !== "_");
  for (const [i, part] of parts.entries()) {
    const next = parts[i + 1];
    if (part.type === "capture" && next?.type === "capture")
      return `found consecutive capture '<${part.name}>' followed by '<${next.name}>': invalid expression`;
  }
  if (use === "filter")
    return named.length > 0 ? `named captures are not allowed: found '<${named[0]}>'` : undefined;
  if (named.length === 0) return "at least one capture is required";
  const twice = named.find((name, i) => named.indexOf(name) !== i);
  return twice === undefined ? undefined : `duplicate capture name (${twice}): invalid expression`;
}
