import { describe, expect, it } from "vitest";
import { JournalHold } from "./journal-hold.ts";

describe("the journal is kept for remote write", () => {
  it("whole, until it is known what was sent", () => {
    expect(new JournalHold(500, 1000).decide(900)).toEqual({ before: 0, givenUpBytes: 0 });
  });

  it("from the beginning of the epoch that is being sent", () => {
    const hold = new JournalHold(100, 1000);
    hold.epoch(200);
    hold.epoch(300);
    hold.sent(250);
    expect(hold.decide(400).before).toBe(200);
    hold.sent(300);
    expect(hold.decide(400).before).toBe(300);
  });

  it("whole while an earlier process's epoch is being sent", () => {
    const hold = new JournalHold(100, 1000);
    hold.sent(50);
    expect(hold.decide(400).before).toBe(0);
  });

  it("up to its limit: then whole epochs go, and how much is told", () => {
    const hold = new JournalHold(100, 1000);
    hold.epoch(600);
    hold.epoch(1200);
    hold.sent(150);
    expect(hold.decide(1100)).toEqual({ before: 100, givenUpBytes: 0 });
    expect(hold.decide(1500)).toEqual({ before: 600, givenUpBytes: 450 });
    expect(hold.decide(5000)).toEqual({ before: 5000, givenUpBytes: 4850 });
  });
});
