import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { toTraceView } from "./trace-view.ts";

const span = spansOf("posts.social");

describe("toTraceView", () => {
  it("orders spans depth-first and children by start", () => {
    const view = toTraceView("t", [
      span("c", "a", 50, 10),
      span("b", "a", 10, 30),
      span("d", "b", 12, 5),
      span("a", "", 0, 100),
    ]);
    expect(view.spans.map((s) => s.spanId)).toEqual(["a", "b", "d", "c"]);
    expect(view.durationMs).toBe(100);
  });

  it("takes overlapping children away once from a span's own time", () => {
    const view = toTraceView("t", [
      span("a", "", 0, 100),
      span("b", "a", 10, 40),
      span("c", "a", 30, 40),
    ]);
    expect(view.spans[0]?.exclusiveMs).toBe(40);
  });

  it("counts only the part of a child that lies inside its parent", () => {
    const view = toTraceView("t", [span("a", "", 0, 100), span("b", "a", 90, 50)]);
    expect(view.spans[0]?.exclusiveMs).toBe(90);
    expect(view.durationMs).toBe(140);
  });

  it("walks the critical path back from the end: of two parallel children only the last to finish is on it", () => {
    const view = toTraceView("t", [
      span("a", "", 0, 100),
      span("fast", "a", 10, 20),
      span("slow", "a", 10, 85),
      span("inner", "slow", 20, 70),
    ]);
    const critical = view.spans.filter((s) => s.critical).map((s) => s.spanId);
    expect(critical).toEqual(["a", "slow", "inner"]);
  });

  it("names the deepest failing span as the error's origin", () => {
    const view = toTraceView("t", [
      span("a", "", 0, 100, { status: "error" }),
      span("b", "a", 10, 30, { status: "error" }),
      span("c", "b", 12, 5),
    ]);
    expect(view.errorOrigin).toBe("b");
  });

  it("shows orphans and spans in a parent cycle as roots instead of losing them", () => {
    const view = toTraceView("t", [
      span("x", "gone", 5, 5),
      span("p", "q", 0, 5),
      span("q", "p", 0, 5),
    ]);
    expect(view.spans.map((s) => s.spanId).sort()).toEqual(["p", "q", "x"]);
  });
});
