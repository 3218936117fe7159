/** Unified diffs as lines to draw: what kind each line is, and which part of a changed line changed. */
export interface DiffLine {
  readonly kind: "added" | "removed" | "same" | "hunk" | "file";
  /** Without the leading +, - or space. */
  readonly text: string;
  /** The part of a changed line that differs from its partner, as [start, end) in `text`. */
  readonly mark: readonly [number, number] | null;
}

/** Lines drawn at most; a longer diff is cut and says so. */
export const diffLinesMax = 4000;

function kindOf(line: string): DiffLine["kind"] {
  if (line.startsWith("@@")) return "hunk";
  if (line.startsWith("--- ") || line.startsWith("+++ ") || line.startsWith("\\")) return "file";
  if (line.startsWith("+")) return "added";
  if (line.startsWith("-")) return "removed";
  return "same";
}

function changedPart(a: string, b: string): { a: [number, number]; b: [number, number] } | null {
  let head = 0;
  const shorter = Math.min(a.length, b.length);
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  // Marking nearly the whole line says nothing.
  if (head + tail < Math.max(a.length, b.length) * 0.25) return null;
  return { a: [head, a.length - tail], b: [head, b.length - tail] };
}

function markPairs(lines: DiffLine[]): DiffLine[] {
  const out = lines.slice();
  let at = 0;
  while (at < lines.length) {
    if (lines[at]?.kind !== "removed") {
      at++;
      continue;
    }
    const firstRemoved = at;
    while (lines[at]?.kind === "removed") at++;
    const firstAdded = at;
    while (lines[at]?.kind === "added") at++;
    const removed = firstAdded - firstRemoved;
    if (removed !== at - firstAdded) continue;
    for (let i = 0; i < removed; i++) {
      const a = lines[firstRemoved + i];
      const b = lines[firstAdded + i];
      const part = a && b ? changedPart(a.text, b.text) : null;
      if (!a || !b || !part) continue;
      out[firstRemoved + i] = { ...a, mark: part.a };
      out[firstAdded + i] = { ...b, mark: part.b };
    }
  }
  return out;
}

export function readDiff(unified: string): DiffLine[] {
  const raw = unified.replace(/\n$/, "").split("\n");
  if (raw.length === 1 && raw[0] === "") return [];
  const lines = raw.slice(0, diffLinesMax).map((line): DiffLine => {
    const kind = kindOf(line);
    const bare = kind === "hunk" || kind === "file" ? line : line.slice(1);
    return { kind, text: bare, mark: null };
  });
  return markPairs(lines);
}

/** Lines added and removed. */
export function diffSize(lines: readonly DiffLine[]): { added: number; removed: number } {
  let added = 0;
  let removed = 0;
  for (const { kind } of lines) {
    if (kind === "added") added++;
    if (kind === "removed") removed++;
  }
  return { added, removed };
}
