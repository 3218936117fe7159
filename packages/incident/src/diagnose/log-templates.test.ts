import { describe, expect, it } from "vitest";
import { messageOfLine, patternOf, TemplateMiner } from "./log-templates.ts";

describe("log templates", () => {
  it("join lines that differ in their variable parts", () => {
    const miner = new TemplateMiner();
    for (let i = 0; i < 5; i++)
      miner.add(`timeout after ${i * 10}ms waiting for connection ${i} of alice`);
    miner.add("timeout after 7ms waiting for connection 9 of bob");
    miner.add("user logged in");
    expect(miner.templates.map((template) => [patternOf(template), template.count])).toEqual([
      ["timeout after <*> waiting for connection <*> of <*>", 6],
      ["user logged in", 1],
    ]);
  });

  it("read the message of a JSON line, and take broken JSON as text", () => {
    expect(messageOfLine('{"level":"error","msg":"no connection"}')).toBe("no connection");
    expect(messageOfLine('{"level":')).toBe('{"level":');
  });

  it("keep a bounded number of templates", () => {
    const miner = new TemplateMiner();
    for (let i = 0; i < 2000; i++) miner.add("x".repeat(1 + (i % 39)) + " word".repeat(i % 50));
    expect(miner.templates.length).toBeLessThanOrEqual(500);
  });
});
