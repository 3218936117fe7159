import { describe, expect, it } from "vitest";
import { TemplateMiner } from "./template-miner.ts";

const labels = { app: "cart", pod: "cart-1" };
const minute = 60_000_000_000n;
const start = 29_453_760n * minute;

function templatesOf(lines: readonly string[]): Record<string, number> {
  const miner = new TemplateMiner();
  for (const line of lines) miner.add(labels, line, start);
  const counts: Record<string, number> = {};
  for (const { template, count } of miner.drain()) counts[template] = count;
  return counts;
}

describe("templates", () => {
  it("keep what lines share and write what differs as a wildcard", () => {
    expect(
      templatesOf([
        "connection from 10.0.0.1:5123 closed after 12ms",
        "connection from 10.0.0.7:80 closed after 1.5s",
        "user alice logged in",
        "user bob logged in",
        "cache miss for key=abc123 took=3ms",
        "cache miss for key=zzz999 took=44ms",
        'GET "/users/17" (id: 5f2b6c1e-8d0a-4c5e-9b1a-0123456789ab)',
        'GET "/users/9" (id: 6f2b6c1e-8d0a-4c5e-9b1a-0123456789ab)',
      ]),
    ).toEqual({
      "connection from <*> closed after <*>": 2,
      "user <*> logged in": 2,
      "cache miss for key=<*> took=<*>": 2,
      'GET "/users/<*>" (id: <*>)': 2,
    });
  });

  it("of JSON lines are those of their message", () => {
    expect(
      templatesOf([
        '{"level":"info","msg":"order 17 placed","ts":1}',
        '{"ts":2,"msg":"order 18 placed","level":"info"}',
        '{"a":1,"b":2}',
      ]),
    ).toEqual({ "order <*> placed": 2, '"a" "b"': 1 });
  });

  it("are apart when lines have little in common", () => {
    expect(
      Object.keys(templatesOf(["disk is full", "disk was replaced", "start up", "shut down"])),
    ).toHaveLength(4);
  });

  it("have the same id in every process, and another when they grow more general", () => {
    const [one, other] = [new TemplateMiner(), new TemplateMiner()];
    const first = one.add(labels, "user alice logged in", start);
    expect(other.add({ app: "other" }, "user alice logged in", start)).toBe(first);
    const general = one.add(labels, "user bob logged in", start);
    expect(general).toMatch(/^[0-9a-f]{16}$/);
    expect(general).not.toBe(first);
    expect(one.add(labels, "user carol logged in", start)).toBe(general);
  });

  it("are counted by minute and by what the stream is about, pods together", () => {
    const miner = new TemplateMiner();
    miner.add(labels, "tick 1", start);
    miner.add({ ...labels, pod: "cart-2" }, "tick 2", start + minute - 1n);
    miner.add(labels, "tick 3", start + minute);
    miner.add(labels, "tick 4", start - minute);
    const counts = miner.drain().map(({ labels: about, bucketMs, count }) => ({
      about,
      minute: BigInt(bucketMs) * 1_000_000n - start,
      count,
    }));
    const about = { app: "cart" };
    expect(counts).toHaveLength(3);
    expect(counts).toEqual(
      expect.arrayContaining([
        { about, minute: 0n, count: 2 },
        { about, minute, count: 1 },
        { about, minute: -minute, count: 1 },
      ]),
    );
    expect(miner.drain()).toEqual([]);
    miner.add(labels, "tick 5", start);
    expect(miner.drain()).toMatchObject([{ count: 1, template: "tick <*>", sample: "tick 1" }]);
  });

  it("that are forgotten at the limit have their counts handed on", () => {
    const miner = new TemplateMiner();
    const letters = "abcdefghijklmnopqrstuvwxyz";
    const word = (i: number) => letters[i % 26] ?? "";
    for (let i = 0; i < 1000; i++)
      miner.add(labels, `${word(i)}${word((i / 26) | 0)} ${word(i * 7)} thing`, start);
    const counts = miner.drain();
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(1000);
    for (let i = 0; i < 5000; i++) miner.add({ app: `app ${i}` }, "tick", start);
    expect(miner.drain().reduce((sum, { count }) => sum + count, 0)).toBe(5000);
  });

  it("of lines without words, or with far too many, are bounded", () => {
    const counts = templatesOf(["", "   ", "x ".repeat(10_000), "y".repeat(10_000)]);
    for (const template of Object.keys(counts)) expect(template.length).toBeLessThan(300);
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(4);
  });
});
