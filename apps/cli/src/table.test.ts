import { describe, expect, it } from "vitest";
import { ago, formatTable, milliseconds, perSecond, percent } from "./table.ts";

describe("formatTable", () => {
  it("aligns numbers to the right and leaves no trailing blanks", () => {
    const text = formatTable(
      [
        { title: "NAME", value: (row: [string, number]) => row[0] },
        { title: "RATE", align: "right", value: (row) => String(row[1]) },
        { title: "X", value: () => "" },
      ],
      [
        ["a", 5],
        ["long", 1000],
      ],
    );
    expect(text).toBe("NAME  RATE  X\na        5\nlong  1000");
  });
});

describe("figures", () => {
  it("say a missing value as a dash, never as zero", () => {
    expect([perSecond(null), percent(null), milliseconds(null)]).toEqual(["–", "–", "–"]);
    expect([perSecond(0), percent(0), milliseconds(0)]).toEqual(["0.0/s", "0 %", "0.0 ms"]);
  });

  it("read as people say them", () => {
    expect([perSecond(1234), percent(0.0042), milliseconds(1530), ago(0, 190_000)]).toEqual([
      "1.2k/s",
      "0.42 %",
      "1.53 s",
      "3m ago",
    ]);
  });
});
