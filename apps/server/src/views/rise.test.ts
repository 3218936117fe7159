import { describe, expect, it } from "vitest";
import { findRise } from "./rise.ts";

const every = (length: number, value: number) => Array.from({ length }, () => value);

describe("where counts stand out", () => {
  it("finds the stretch, from where it begins to where it ends", () => {
    const events = [...every(20, 1), ...every(5, 30), ...every(15, 1)];
    expect(findRise(events, every(40, 100))).toMatchObject({
      from: 20,
      to: 25,
      inside: [150, 500],
      outside: [35, 3500],
    });
  });

  it("goes on to the end where it does not end", () => {
    expect(findRise([...every(50, 0), ...every(3, 8)], every(53, 20))).toMatchObject({
      from: 50,
      to: 53,
      outside: [0, 1000],
    });
  });

  it("is no rise when more is asked and the share stays", () => {
    const exposure = [...every(30, 100), ...every(30, 1000)];
    expect(
      findRise(
        exposure.map((calls) => calls / 20),
        exposure,
      ),
    ).toBeUndefined();
  });

  it.each([
    ["nothing happens", every(40, 0), every(40, 10)],
    ["a handful is too few", [...every(39, 0), 4], every(40, 10)],
    ["it was always so", every(40, 8), every(40, 10)],
    ["there is no time to compare with", [50], [100]],
  ])("is none when %s", (_, events, exposure) => {
    expect(findRise(events, exposure)).toBeUndefined();
  });
});
