import { array, assert, constantFrom, pre, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { unifiedDiff } from "./diff.ts";

const names = { before: "a", after: "b" };

/** Applies a unified diff, checking context as it goes. */
function apply(before: string, diff: string): string {
  const source = before.replace(/\n$/, "").split("\n");
  const result: string[] = [];
  let at = 0;
  for (const line of diff.split("\n").slice(2)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (hunk) {
      const start = Number(hunk[1]) - (hunk[2] === "0" ? 0 : 1);
      while (at < start) result.push(source[at++] ?? "");
    } else if (line.startsWith("+")) result.push(line.slice(1));
    else if (line !== "") {
      expect(source[at]).toBe(line.slice(1));
      if (line.startsWith(" ")) result.push(source[at] ?? "");
      at++;
    }
  }
  while (at < source.length) result.push(source[at++] ?? "");
  return result.join("\n");
}

describe("unified diffs", () => {
  it("show three lines of context around a change", () => {
    const before = "a\nb\nc\nd\ne\nf\ng\nh\n";
    expect(unifiedDiff(before, before.replace("e", "E"), names)).toBe(
      "--- a\n+++ b\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n",
    );
  });

  it("are empty for equal texts", () => {
    expect(unifiedDiff("a\n", "a\n", names)).toBe("");
  });

  it("turn the one text into the other", () => {
    const text = array(constantFrom("a", "b", "c", "spec:", "  x: 1"), {
      minLength: 1,
      maxLength: 30,
    }).map((lines) => lines.join("\n"));
    assert(
      property(text, text, (before, after) => {
        pre(before !== after);
        expect(apply(before, unifiedDiff(before, after, names))).toBe(after);
      }),
    );
  });
});
