/** What every `LogReader` must do. */
import assert from "node:assert/strict";
import type { LineFilter, LogReader, LogRecord, LogSelect, LogSink, Matcher } from "@skopos/model";
import type { ContractCase } from "./metric-reader-contract.ts";
import { once } from "./once.ts";

export interface LogFixture {
  readonly sink: LogSink;
  readonly reader: LogReader;
  /** Resolves when what was appended can be read. */
  readonly settled: () => Promise<void>;
}

const startMs = 1_790_000_000_000;
const endMs = startMs + 600_000;
const startNs = BigInt(startMs) * 1_000_000n;
const endNs = BigInt(endMs) * 1_000_000n;
const at = (offsetMs: number) => startNs + BigInt(offsetMs) * 1_000_000n;

const frontend = { app: "frontend", namespace: "shop", pod: "frontend-1" };
const users = { app: "user-service", namespace: "shop", pod: "it's" };
const record = (timeNs: bigint, labels: LogRecord["labels"], line: string, metadata = {}) => ({
  timeNs,
  labels,
  metadata,
  line,
});

const records: readonly LogRecord[] = [
  record(at(1000), frontend, "GET / 200 via_upstream 100%"),
  record(at(2000), users, 'GET /users/7 503 UO "pool exhausted"', { trace_id: "b".repeat(32) }),
  record(at(2000) + 1n, frontend, "GET /users 503 UF", { request_id: "r-1", odd: "a'b\\c\td" }),
  record(at(3000), { app: "bätch" }, "first line\nsecond\tline \\ ü ✓ 'quoted'"),
  record(at(4000), users, ""),
];

async function lines(
  reader: LogReader,
  matchers: readonly Matcher[],
  filters: readonly LineFilter[] = [],
  more: Partial<LogSelect> = {},
): Promise<string> {
  const select = { matchers, filters, startNs, endNs, limit: 100, direction: "forward" } as const;
  const found = await reader.select({ ...select, ...more });
  return found.map((line) => records.findIndex((one) => one.timeNs === line.timeNs)).join("");
}

const label = (name: string, op: Matcher["op"], value: string): Matcher => ({ name, op, value });
const line = (op: LineFilter["op"], ...values: string[]): LineFilter => ({ op, values });

/** Matchers, and the numbers of the records whose streams pass. */
const selections: readonly (readonly [string, string, ...Matcher[]])[] = [
  ["every stream", "01234"],
  ["a label", "02", label("app", "=", "frontend")],
  ["another value", "134", label("app", "!=", "frontend")],
  ["a pattern of the whole value", "0124", label("app", "=~", "front.*|user-service")],
  ["no pattern of a part", "", label("app", "=~", "front")],
  ["a negated pattern", "3", label("app", "!~", "front.*|user-service")],
  ["an absent label as empty", "3", label("namespace", "=", "")],
  ["a present label", "0124", label("namespace", "!=", "")],
  ["several matchers", "14", label("namespace", "=", "shop"), label("pod", "=", "it's")],
  ["no one's label", "", label("app", "=", "') OR 1 = 1 --")],
];

const filterings: readonly (readonly [string, string, ...LineFilter[]])[] = [
  ["a text", "12", line("|=", "503")],
  ["a part of a word", "1", line("|=", "xhaust")],
  ["a text in its case", "", line("|=", "Pool")],
  ["signs of LIKE as they are", "0", line("|=", "100%")],
  ["an underscore as it is", "0", line("|=", "via_up")],
  ["no wildcard", "", line("|=", "via%up")],
  ["a backslash and a quote", "3", line("|=", "\\ ü ✓ 'quoted'")],
  ["one text or another", "01", line("|=", "200", "UO")],
  ["lines without a text", "034", line("!=", "503")],
  ["lines without either", "34", line("!=", "503", "200")],
  ["a pattern", "12", line("|~", "U[OF]")],
  ["a dot that is no line break", "", line("|~", "first.*second")],
  ["lines without a pattern", "034", line("!~", "\\b503\\b")],
  ["filters one after the other", "2", line("|=", "503"), line("!=", "UO")],
];

/** The cases share one fixture, which is opened and filled with the first of them. */
export function logReaderContract(open: () => Promise<LogFixture>): readonly ContractCase[] {
  const fixture = once(async () => {
    const opened = await open();
    await opened.sink.append(records);
    await opened.settled();
    return opened;
  });
  const reading = (name: string, check: (reader: LogReader) => Promise<void>): ContractCase => ({
    name,
    run: async () => check((await fixture()).reader),
  });
  return [
    reading("gives lines back as they came", async (reader) => {
      const select = { matchers: [], filters: [], startNs, endNs, limit: 100 };
      assert.deepEqual(await reader.select({ ...select, direction: "forward" }), records);
    }),
    ...selections.map(([what, expected, ...matchers]) =>
      reading(`selects ${what}`, async (reader) => {
        assert.equal(await lines(reader, matchers), expected);
      }),
    ),
    ...filterings.map(([what, expected, ...filters]) =>
      reading(`filters by ${what}`, async (reader) => {
        assert.equal(await lines(reader, [], filters), expected);
      }),
    ),
    reading("goes either way, to the limit, within the range", async (reader) => {
      assert.equal(await lines(reader, [], [], { direction: "backward" }), "43210");
      assert.equal(await lines(reader, [], [], { direction: "backward", limit: 2 }), "43");
      assert.equal(await lines(reader, [], [], { limit: 2 }), "01");
      assert.equal(await lines(reader, [], [], { startNs: at(2000), endNs: at(2000) + 1n }), "1");
    }),
    reading("lists labels, values and streams", async (reader) => {
      assert.deepEqual(await reader.labelNames(startMs, endMs), ["app", "namespace", "pod"]);
      const values = await reader.labelValues("app", [], startMs, endMs);
      assert.deepEqual(values, ["bätch", "frontend", "user-service"]);
      const shop = [label("namespace", "=", "shop")];
      const pods = await reader.labelValues("pod", shop, startMs, endMs);
      assert.deepEqual(pods, ["frontend-1", "it's"]);
      const sets = [[label("app", "=", "bätch")], [label("app", "=", "frontend")]];
      const streams = await reader.streams(sets, startMs, endMs);
      assert.deepEqual(
        streams.sort((a, b) => ((a["app"] ?? "") < (b["app"] ?? "") ? -1 : 1)),
        [{ app: "bätch" }, frontend],
      );
      assert.deepEqual(await reader.streams([], startMs - 60_000, startMs - 30_000), []);
    }),
    reading("refuses a broken pattern as a bad query", async (reader) => {
      await assert.rejects(lines(reader, [], [line("|~", "(")]), { code: "bad-query" });
    }),
    reading("stops when told", async (reader) => {
      await assert.rejects(lines(reader, [], [], { signal: AbortSignal.abort() }), {
        code: "cancelled",
      });
    }),
  ];
}
