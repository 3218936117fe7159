import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { systemClock } from "@skopos/model";
import { logReaderContract, traceReaderContract } from "@skopos/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type JournalFollower, JournalReader } from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";
import { runCarrier } from "./carrier.ts";
import { openClickHouse } from "./client.ts";
import { createLogReader } from "./log-reader.ts";
import { LogStore } from "./log-store.ts";
import { migrate } from "./schema.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "./supervise.ts";
import { createTraceReader } from "./trace-reader.ts";
import { TraceStore } from "./trace-store.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const stop = new AbortController();
let dir: string;
let server: SupervisedClickHouse;
let client: ClickHouseClient;
let journal: Journal;
let follower: JournalFollower;
let carrying: Promise<void>;
let carried = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-readers-"));
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
  await migrate(server.connection, { spans: 10_000, logs: 10_000 });
  await migrate(server.connection, { spans: 10_000, logs: 10_000 });
  client = openClickHouse(server.connection);
  const journalDir = join(dir, "telemetry");
  journal = await Journal.open({
    dir: journalDir,
    clock: systemClock,
    segmentBytesMax: 1e6,
    bytesMax: 1e9,
  });
  follower = await JournalReader.open({ dir: journalDir });
  carrying = runCarrier({
    journal: follower,
    client,
    checkpointFile: join(dir, "carrier.json"),
    clock: systemClock,
    log: silent,
    signal: stop.signal,
    onProgress: ({ position }) => {
      carried = position;
    },
  });
});

afterAll(async () => {
  stop.abort();
  await carrying;
  await client.close();
  await server.stop();
  await follower.close();
  await journal.close();
  await rm(dir, { recursive: true, force: true });
});

const settled = () =>
  expect.poll(() => carried, { timeout: 10_000, interval: 20 }).toBe(journal.durableThrough);

describe("traces in ClickHouse", () => {
  const cases = traceReaderContract(async () => ({
    sink: new TraceStore(journal),
    reader: createTraceReader(client),
    settled,
  }));
  for (const { name, run } of cases) it(name, run);
});

describe("logs in ClickHouse", () => {
  const cases = logReaderContract(async () => ({
    sink: new LogStore(journal),
    reader: createLogReader(client),
    settled,
  }));
  for (const { name, run } of cases) it(name, run);
});
