/** Paths of the `json` stage: `a.b[0]["c d"]`. Source: Loki's `jsonexpr`. */

/** Undefined for what is not a path. */
export function parseJsonPath(text: string): (string | number)[] | undefined {
  const path: (string | number)[] = [];
  const step =
    /\s*(?:(\.)?([a-zA-Z_][a-zA-Z0-9_-]*)|\[\s*(\d+)\s*\]|\[\s*"((?:[^"\\]|\\.)*)"\s*\])\s*/y;
  while (step.lastIndex < text.length) {
    const isFirst = step.lastIndex === 0;
    const match = step.exec(text);
    if (!match) return undefined;
    const [, dot, field, index, quoted] = match;
    if (field !== undefined) {
      if ((dot === undefined) !== isFirst) return undefined;
      path.push(field);
    } else if (index !== undefined) path.push(Number(index));
    else path.push((quoted ?? "").replaceAll(/\\(.)/g, "$1"));
  }
  return path.length === 0 ? undefined : path;
}
