import { describe, expect, it } from "vitest";
import { nextSort, readSort, sortRows, toCsv } from "./table.ts";

const cell = (row: number | null) => row;

describe("tables", () => {
  it("keeps what is absent last, whichever way", () => {
    expect(sortRows([2, null, 1], cell, false)).toEqual([1, 2, null]);
    expect(sortRows([2, null, 1], cell, true)).toEqual([2, 1, null]);
  });

  it("sorts names with numbers as people count", () => {
    expect(sortRows(["pod-10", "pod-9"], (row) => row, false)).toEqual(["pod-9", "pod-10"]);
  });

  it("turns around on the second click", () => {
    const first = readSort(null, "name");
    const second = readSort(nextSort(first, "p95", true), "name");
    expect(second).toEqual({ key: "p95", descending: true });
    expect(nextSort(second, "p95", true)).toBe("p95");
  });

  it("writes CSV that spreadsheets read back", () => {
    expect(
      toCsv(
        ["a", "b"],
        [
          ['say "x"', null],
          ["1,5", 2],
        ],
      ),
    ).toBe('a,b\r\n"say ""x""",\r\n"1,5",2');
  });
});
