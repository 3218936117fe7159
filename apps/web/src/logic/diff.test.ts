import { describe, expect, it } from "vitest";
import { diffSize, readDiff } from "./diff.ts";

const diff = `--- live
+++ after
@@ -3,4 +3,4 @@
       env:
         - name: DB_POOL_SIZE
-          value: "2"
+          value: "16"
`;

describe("diffs", () => {
  it("tells added, removed, same, hunk and file lines apart", () => {
    expect(readDiff(diff).map(({ kind }) => kind)).toEqual([
      "file",
      "file",
      "hunk",
      "same",
      "same",
      "removed",
      "added",
    ]);
  });

  it("marks only what changed within a line", () => {
    const [removed, added] = readDiff(diff).slice(-2);
    expect(removed?.text.slice(...(removed.mark ?? [0, 0]))).toBe("2");
    expect(added?.text.slice(...(added.mark ?? [0, 0]))).toBe("16");
  });

  it("marks nothing when lines have little in common", () => {
    const lines = readDiff("-alpha\n+zzz");
    expect(lines.every(({ mark }) => mark === null)).toBe(true);
  });

  it("counts both sides", () => {
    expect(diffSize(readDiff(diff))).toEqual({ added: 1, removed: 1 });
    expect(readDiff("")).toEqual([]);
  });
});
