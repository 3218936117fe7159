/** Unified line diffs, as `diff -u` writes them, for texts of the size of a Kubernetes object. */

/** Above this many cells of the comparison table the middle is shown as replaced whole. */
const cellsMax = 4_000_000;
const contextLines = 3;

interface Line {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

const splitLines = (text: string) => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** Longest common subsequence of two line lists by dynamic programming, walked back into marked lines. */
function compareLines(before: readonly string[], after: readonly string[]): Line[] {
  const rows = before.length;
  const columns = after.length;
  if (rows * columns > cellsMax)
    return [
      ...before.map((text): Line => ({ mark: "-", text })),
      ...after.map((text): Line => ({ mark: "+", text })),
    ];
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      lengths[i * width + j] =
        before[i] === after[j]
          ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(lengths[(i + 1) * width + j] ?? 0, lengths[i * width + j + 1] ?? 0);
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < rows || j < columns) {
    const left = before[i];
    const right = after[j];
    if (left !== undefined && left === right) {
      lines.push({ mark: " ", text: left });
      i++;
      j++;
    } else if (
      left !== undefined &&
      (right === undefined ||
        (lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0))
    ) {
      lines.push({ mark: "-", text: left });
      i++;
    } else if (right !== undefined) {
      lines.push({ mark: "+", text: right });
      j++;
    }
  }
  return lines;
}

const same = (text: string): Line => ({ mark: " ", text });

/** Common lines at both ends cost nothing; only the middle is compared. */
function markLines(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  )
    end++;
  return [
    ...before.slice(0, start).map(same),
    ...compareLines(
      before.slice(start, before.length - end),
      after.slice(start, after.length - end),
    ),
    ...before.slice(before.length - end).map(same),
  ];
}

const hunkRange = (start: number, count: number) =>
  count === 1 ? `${start + 1}` : `${count === 0 ? start : start + 1},${count}`;

/** The unified diff of two texts with three lines of context; "" when they are equal. */
export function unifiedDiff(
  before: string,
  after: string,
  names: { readonly before: string; readonly after: string },
): string {
  const lines = markLines(splitLines(before), splitLines(after));
  const changed = lines.flatMap((line, index) => (line.mark === " " ? [] : [index]));
  if (changed.length === 0) return "";
  const hunks: { from: number; to: number }[] = [];
  for (const index of changed) {
    const last = hunks.at(-1);
    const from = Math.max(0, index - contextLines);
    const to = Math.min(lines.length, index + contextLines + 1);
    if (last && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  }
  const count = (from: number, to: number, skip: "-" | "+") =>
    lines.slice(from, to).filter((line) => line.mark !== skip).length;
  const text = [`--- ${names.before}`, `+++ ${names.after}`];
  for (const { from, to } of hunks) {
    const oldRange = hunkRange(count(0, from, "+"), count(from, to, "+"));
    const newRange = hunkRange(count(0, from, "-"), count(from, to, "-"));
    text.push(`@@ -${oldRange} +${newRange} @@`);
    for (const line of lines.slice(from, to)) text.push(line.mark + line.text);
  }
  return `${text.join("\n")}\n`;
}
