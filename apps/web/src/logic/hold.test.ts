import { describe, expect, it } from "vitest";
import { type Hold, type HoldEvent, holdMs, holdProgress, idle, nextHold } from "./hold.ts";

const run = (...events: HoldEvent[]): Hold => events.reduce(nextHold, idle);
const press: HoldEvent = { type: "press", by: "pointer", atMs: 1000 };

describe("hold to confirm", () => {
  it("is done after the whole time and not before", () => {
    expect(run(press, { type: "tick", atMs: 1000 + holdMs - 1 }).state).toBe("holding");
    expect(run(press, { type: "tick", atMs: 1000 + holdMs }).state).toBe("done");
  });

  it("is taken back by letting go", () => {
    expect(run(press, { type: "release" }, { type: "tick", atMs: 9_000_000 })).toEqual(idle);
  });

  it("is not restarted by key repeat", () => {
    const held = run(
      { type: "press", by: "key", atMs: 0 },
      { type: "press", by: "key", atMs: holdMs - 1 },
      { type: "tick", atMs: holdMs },
    );
    expect(held.state).toBe("done");
  });

  it("confirms once: letting go afterwards does not undo", () => {
    expect(run(press, { type: "tick", atMs: 99_999 }, { type: "release" }).state).toBe("done");
  });

  it("shows how far it is", () => {
    expect(holdProgress(run(press), 1000 + holdMs / 2)).toBeCloseTo(0.5);
    expect(holdProgress(idle, 5)).toBe(0);
  });
});
