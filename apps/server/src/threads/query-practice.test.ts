import { expect, test } from "vitest";
import { practise } from "./query-practice.ts";

/** Every look at it takes a millisecond. */
function slowClock() {
  let nowMs = 0;
  return { nowMs: () => nowMs, monotonicMs: () => (nowMs += 1), after: () => () => {} };
}

test("practice answers each of its questions, gives way before each, and ends when its time is up", async () => {
  let pauses = 0;
  const asked = await practise(slowClock(), async () => void pauses++);
  expect(asked).toBeGreaterThan(50);
  expect(pauses).toBe(asked + 1);
});
