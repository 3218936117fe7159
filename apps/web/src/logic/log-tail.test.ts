import { describe, expect, it } from "vitest";
import {
  emptyTail,
  letIn,
  readTailMessage,
  resumeFrom,
  retryDelayMs,
  tailLinesMax,
  takeMessage,
} from "./log-tail.ts";

const stream = { namespace: "shop", app: "users", detected_level: "error", trace_id: "t1" };

function message(values: readonly (readonly [string, string])[], dropped: unknown[] = []) {
  const found = readTailMessage(
    JSON.stringify({ streams: [{ stream, values }], dropped_entries: dropped }),
  );
  if (!found) throw new Error("not read");
  return found;
}

describe("a live tail", () => {
  it("goes on behind the newest line that came, shown or held", () => {
    expect(resumeFrom(emptyTail)).toBeNull();
    const shown = takeMessage(emptyTail, message([["1700000000000000001", "a"]]), false);
    expect(resumeFrom(shown)).toBe("1700000000000000002");
    const held = takeMessage(shown, message([["1700000000000000007", "b"]]), true);
    expect(resumeFrom(held)).toBe("1700000000000000008");
  });

  it("reads lines, newest first, with what stands beside them apart", () => {
    const { lines, leftOut } = message(
      [
        ["1700000000000000001", "a"],
        ["1700000000000000002", "b"],
      ],
      [{}, {}],
    );
    expect(lines.map(({ line }) => line)).toEqual(["b", "a"]);
    expect(lines[0]).toMatchObject({
      labels: { namespace: "shop", app: "users" },
      metadata: { detected_level: "error", trace_id: "t1" },
      level: "error",
      traceId: "t1",
      entity: { id: "shop/users" },
    });
    expect(leftOut).toBe(2);
  });

  it.each([undefined, "", "{", "[]", '{"streams":3}'])("takes %s for no message", (text) =>
    expect(readTailMessage(text)).toBeNull(),
  );

  it("leaves out streams and values that are not as they should be", () => {
    const odd = { streams: [null, { stream: {}, values: [["x", "y"], 3, ["1", "ok"]] }] };
    expect(readTailMessage(JSON.stringify(odd))?.lines.map(({ line }) => line)).toEqual(["ok"]);
  });

  it("keeps a bounded number of lines and counts the others", () => {
    const values = Array.from({ length: 1500 }, (_, i): [string, string] => [`${i}`, "x"]);
    const once = takeMessage(emptyTail, message(values), false);
    const twice = takeMessage(once, message(values), false);
    expect([twice.lines.length, twice.pushedOut]).toEqual([tailLinesMax, 1000]);
  });

  it("stands still while held, and lets in what waited", () => {
    const before = takeMessage(emptyTail, message([["1", "a"]]), false);
    const held = takeMessage(before, message([["2", "b"]]), true);
    expect([held.lines.length, held.waiting.length]).toEqual([1, 1]);
    expect(letIn(held).lines.map(({ line }) => line)).toEqual(["b", "a"]);
  });

  it("tries again ever more slowly, but never gives up", () => {
    expect([0, 1, 2, 10, 5000].map(retryDelayMs)).toEqual([1000, 2000, 4000, 30_000, 30_000]);
  });
});
