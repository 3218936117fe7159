import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatMs,
  formatRate,
  formatRatio,
  formatSpan,
  plural,
  say,
} from "./numbers.ts";

describe("numbers as people say them", () => {
  it.each([
    [1234, "1.23k/s"],
    [999.7, "1k/s"],
    [50, "50/s"],
    [0.42, "0.42/s"],
    [0.0004, "<0.01/s"],
    [0, "0/s"],
    [1_250_000, "1.25M/s"],
  ])("writes %d a second as %s", (value, text) => expect(formatRate(value)).toBe(text));

  it.each([
    [0.25, "250 µs"],
    [3.149, "3.1 ms"],
    [340.4, "340 ms"],
    [999.8, "1 s"],
    [1234, "1.23 s"],
    [200_000, "3 min 20 s"],
  ])("writes %d milliseconds as %s", (value, text) => expect(formatMs(value)).toBe(text));

  it.each([
    [0.0042, "0.42 %"],
    [0.00001, "<0.01 %"],
    [0, "0 %"],
    [0.123, "12.3 %"],
    [1, "100 %"],
    [0.99995, ">99.99 %"],
  ])("writes the ratio %d as %s", (value, text) => expect(formatRatio(value)).toBe(text));

  it("says a length of time in two units at most", () => {
    expect(formatSpan(0)).toBe("0 s");
    expect(formatSpan(3_600_000)).toBe("1 h");
    expect(formatSpan(90_061_000)).toBe("1 d 1 h");
    expect(formatSpan(-65_000)).toBe("-1 min 5 s");
  });

  it("writes bytes in binary steps", () => {
    expect(formatBytes(512)).toBe("512 B");
    expect(formatBytes(1_610_612_736)).toBe("1.5 GiB");
  });

  it("never writes absent as zero", () => {
    expect(say(null, "per-second")).toEqual({ text: "–", exact: "not measured" });
    expect(say(Number.NaN, "ms").text).toBe("–");
    expect(say(0, "per-second").text).toBe("0/s");
  });

  it("keeps the exact value", () => {
    expect(say(0.004217, "ratio").exact).toContain("0.42");
    expect(say(1234.5678, "per-second").exact).toBe("1234.5678 per second");
  });

  it("counts one and many", () => {
    expect(plural(1, "span")).toBe("1 span");
    expect(plural(1200, "span")).toBe("1.2k spans");
  });
});
