import { TemplateMiner } from "@skopos/ingest";
import { createLogEngine } from "@skopos/logql";
import { MemoryLogReader } from "@skopos/logql/testing";
import { describe, expect, it } from "vitest";
import { patternStages } from "./pattern-lines.ts";

const labels = { app: "cart" };
const atNs = 1_700_000_000_000_000_000n;

/** By template, the lines that its stages let through. */
async function linesByTemplate(lines: readonly string[]): Promise<Record<string, string[]>> {
  const miner = new TemplateMiner();
  const reader = new MemoryLogReader();
  for (const line of lines) {
    miner.add(labels, line, atNs);
    reader.add({ timeNs: atNs, labels, metadata: {}, line });
  }
  const engine = createLogEngine(reader);
  const found: Record<string, string[]> = {};
  for (const { template, sample, count } of miner.drain()) {
    const pattern = template.replaceAll("<*>", "<_>");
    const result = await engine.query({
      query: `{app="cart"} ${patternStages({ pattern, sample, samples: [] })}`,
      startNs: atNs,
      endNs: atNs + 1n,
      limit: 100,
      direction: "forward",
    });
    found[template] = result.type === "lines" ? result.records.map(({ line }) => line) : [];
    expect([template, found[template].length]).toEqual([template, count]);
  }
  return found;
}

describe("the lines of a template", () => {
  it("are as many as were counted for it, whatever other lines say", async () => {
    const logins = ["user alice logged in", "user bob logged in"];
    const orders = ['{"msg":"order 17 placed","ts":1}', '{"ts":2,"msg":"order 18 placed"}'];
    const found = await linesByTemplate([
      ...logins,
      "user alice from eu logged in",
      "the user alice logged in",
      "user alice logged in again",
      ...orders,
      "order 19 placed by hand",
      '{"ts":3,"msg":"order 20 placed twice"}',
      "GET /users/17 (id: 5f2b6c1e-8d0a-4c5e-9b1a-0123456789ab) took=12ms",
      "GET /users/9 (id: 6f2b6c1e-8d0a-4c5e-9b1a-0123456789ab) took=1ms",
      "cost 5.00$ [a|b]+ {x} ^y \\d (z) *?",
      "",
    ]);
    expect(found["user <*> logged in"]).toEqual(logins);
    expect(found["order <*> placed"]).toEqual(orders);
  });

  it("are found however they are spaced", async () => {
    const lines = ["INFO   pool is  full: 7", " INFO pool is full: 8 ", "INFO\tpool is full: 9"];
    const found = await linesByTemplate([...lines, "INFO pool is full: 7 of 8"]);
    expect(Object.values(found)[0]).toEqual(lines);
  });

  it("may hold what reads like a capture of a pattern", async () => {
    const lines = ["error in <anonymous> at 12", "error in <anonymous> at 17"];
    expect(Object.values(await linesByTemplate(lines))).toEqual([lines]);
  });

  it("are found by their words where only these are the same", async () => {
    const found = await linesByTemplate(["17", "one two", "18"]);
    expect(found["<*>"]).toEqual(["17", "18"]);
  });

  it("of JSON without a message are told by its fields, of access logs by theirs", async () => {
    const found = await linesByTemplate(['{"a":1,"b":2}', '{"a":2,"b":3}', '{"c":1}']);
    expect(found['"a" "b"']).toHaveLength(2);
    const pattern = '{<_>"method":"GET"<_>"response_code":503,"response_flags":"-"<_>}';
    expect(patternStages({ pattern, sample: "{}", samples: [] })).toBe(
      '|= "\\"response_code\\"" | method="GET" | status="503" | response_flags=""',
    );
    const text = '[<_>] "GET <_>" 200 - <_>';
    expect(patternStages({ pattern: text, sample: "[2", samples: [] })).toBe(
      `|> ${JSON.stringify(text)}`,
    );
  });
});
