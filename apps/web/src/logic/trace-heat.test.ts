import { describe, expect, it } from "vitest";
import { heatQuery, narrowed } from "./trace-heat.ts";

describe("the heat map of traces", () => {
  it("counts requests at servers where nothing is asked for, else what matches", () => {
    expect(heatQuery("")).toBe("{ kind = server } | histogram_over_time(duration)");
    expect(heatQuery("{}")).toBe(heatQuery(""));
    expect(heatQuery('{ name = "a" || status = error }')).toBe(
      '{ name = "a" || status = error } | histogram_over_time(duration)',
    );
  });

  it("counts nothing for queries of several parts", () => {
    expect(heatQuery("{ } | count() > 2")).toBeNull();
    expect(heatQuery("{ .a = 1 } >> { .b = 2 }")).toBeNull();
  });

  it("narrows a query to a cell", () => {
    expect(narrowed("{ status = error }", 8.192, 16.384)).toBe(
      "{ status = error && duration > 8192us && duration <= 16384us }",
    );
    expect(narrowed("{ .a = 1 || .b = 2 }", 0, 1000)).toBe(
      "{ (.a = 1 || .b = 2) && duration <= 1s }",
    );
  });
});
