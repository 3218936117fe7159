import { spansOf } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { callPatterns } from "./call-patterns.ts";
import { errorOrigin } from "./error-origin.ts";
import { buildForest } from "./forest.ts";

const span = spansOf("a");

const call = (id: string, startMs: number, durationMs: number, more = {}) =>
  span(id, "root", startMs, durationMs, { kind: "client", name: "GET /posts/1", ...more });

const patterns = (...calls: ReturnType<typeof span>[]) =>
  callPatterns(buildForest([span("root", "", 0, 200), ...calls]));

describe("call patterns", () => {
  it("see one query per item, though its name holds the item's id", () => {
    const many = Array.from({ length: 10 }, (_, i) =>
      call(`c${i}`, 10 + i * 10, 9, { name: `SELECT post ${i}` }),
    );
    expect(patterns(...many)).toMatchObject([
      { kind: "repeated", savableNs: 81e6, calls: { length: 10 } },
    ]);
  });

  it("do not take calls that run side by side for repeated ones", () => {
    expect(patterns(...Array.from({ length: 10 }, (_, i) => call(`c${i}`, 10 + i, 50)))).toEqual(
      [],
    );
  });

  it("tell a retry from a repetition: the attempts before failed", () => {
    const found = patterns(
      call("c1", 10, 30, { status: "error" }),
      call("c2", 50, 30, { status: "error" }),
      call("c3", 90, 20),
    );
    expect(found).toMatchObject([{ kind: "retry", recovered: true, savableNs: 60e6 }]);
  });

  it("see different calls made one after the other, and what side by side would save", () => {
    const found = patterns(
      call("c1", 10, 40, { name: "GET users" }),
      call("c2", 60, 50, { name: "GET posts" }),
      call("c3", 120, 60, { name: "GET likes" }),
    );
    expect(found).toMatchObject([{ kind: "serial", savableNs: 90e6, name: "GET likes" }]);
  });

  it("are silent about what could save next to nothing", () => {
    expect(patterns(call("c1", 10, 1), call("c2", 20, 2, { name: "GET users" }))).toEqual([]);
  });
});

describe("the origin of an error", () => {
  it("is the deepest span that fails by itself", () => {
    const forest = buildForest([
      span("a", "", 0, 100, { status: "error" }),
      span("b", "a", 10, 80, { status: "error" }),
      span("c", "b", 20, 20),
      span("d", "b", 50, 20, { status: "error" }),
      span("e", "a", 95, 1, { status: "error" }),
    ]);
    expect(forest.spans[errorOrigin(forest)]?.spanId).toBe("d");
  });

  it("is nowhere when nothing fails", () => {
    expect(errorOrigin(buildForest([span("a", "", 0, 1)]))).toBe(-1);
  });
});
