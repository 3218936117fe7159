import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { LabelSet, staleNaN, systemClock, writeNaN } from "@skopos/model";
import { type ContractPage, metricReaderContract } from "@skopos/testkit";
import { afterAll, beforeAll, describe, test } from "vitest";
import { openClickHouse } from "../clickhouse/client.ts";
import { migrate } from "../clickhouse/schema.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "../clickhouse/supervise.ts";
import { HeadMarks } from "../head/marks.ts";
import { HeadView } from "../head/head-view.ts";
import { Head } from "../head/head.ts";
import { createHistoryReader } from "./history-reader.ts";
import { runHistoryCarrier } from "./history-carrier.ts";
import { createMetricReader } from "./metric-reader.ts";
import { historyTables, migrateHistory, sliceMs } from "./schema.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
let dir: string;
let server: SupervisedClickHouse;
let client: ClickHouseClient;
let run = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-history-"));
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
  await migrate(server.connection);
  await migrateHistory(server.connection, { rawDays: 30_000, rollupDays: 30_000 });
  client = openClickHouse(server.connection);
});

afterAll(async () => {
  await client.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

function feed(head: Head, pages: readonly ContractPage[]): void {
  for (const { group, timeMs, samples } of pages) {
    const ref = head.openGroup(group);
    const refs = new Uint32Array(samples.length);
    const values = new Float64Array(samples.length);
    for (const [i, [labels, value]] of samples.entries()) {
      refs[i] = head.series(ref, LabelSet.fromMap(labels)) ?? 0;
      if (value === "stale") writeNaN(values, i, staleNaN);
      else values[i] = value;
    }
    head.appendPage(ref, timeMs, refs, values, samples.length);
  }
}

async function emptyTables(): Promise<void> {
  for (const table of historyTables) await client.command({ query: `TRUNCATE TABLE ${table}` });
}

/** Carries everything up to the head's seal. */
async function carry(head: Head): Promise<void> {
  const stop = new AbortController();
  const marks = new HeadMarks(head.share());
  await runHistoryCarrier({
    source: new HeadView(head.share()),
    marks,
    client,
    watermarkFile: join(dir, `carried-${++run}.json`),
    clock: systemClock,
    log: { ...silent, warn: (_, message) => stop.abort(new Error(message)) },
    signal: stop.signal,
    batchBytesMax: 10_000,
    onProgress: ({ carriedThroughMs }) => {
      if (carriedThroughMs >= marks.sealedThroughMs) stop.abort();
    },
  });
}

describe("the history's reader", () => {
  const cases = metricReaderContract(async (pages) => {
    const head = new Head();
    feed(head, pages);
    head.dropBefore(1);
    head.sealThrough(sliceMs);
    await emptyTables();
    await carry(head);
    return { reader: createHistoryReader(client, { clock: systemClock }), close: async () => {} };
  });
  for (const { name, run: check } of cases) test(name, check);
});

describe("head and history joined in the middle of the samples", () => {
  const cases = metricReaderContract(async (pages) => {
    const head = new Head();
    feed(head, pages);
    head.dropBefore(1);
    head.sealThrough(sliceMs);
    await emptyTables();
    await carry(head);
    const reader = createMetricReader({
      head: head.reader(),
      marks: { heldSinceMs: 2101 },
      history: createHistoryReader(client, { clock: systemClock }),
    });
    return { reader, close: async () => {} };
  });
  for (const { name, run: check } of cases) test(name, check);
});
