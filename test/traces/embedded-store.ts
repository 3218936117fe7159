/** A real embedded ClickHouse with the way into it: journal, carrier, tables. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Span, systemClock, type TraceReader } from "@skopos/model";
import {
  createTraceReader,
  Journal,
  JournalReader,
  migrate,
  openClickHouse,
  runCarrier,
  superviseClickHouse,
  TraceStore,
} from "@skopos/store";

export interface EmbeddedTraces {
  readonly reader: TraceReader;
  /** Resolves when the spans can be read. */
  append(spans: readonly Span[]): Promise<void>;
  close(): Promise<void>;
}

const silent = { info: () => {}, warn: () => {}, error: () => {} };

export async function openEmbeddedTraces(): Promise<EmbeddedTraces> {
  const dir = await mkdtemp(join(tmpdir(), "skopos-traces-"));
  const server = await superviseClickHouse({
    entry: new URL("../../packages/store/src/testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
  await migrate(server.connection, { tracesMs: 1e12, logsMs: 1e12 });
  const client = openClickHouse(server.connection);
  const journalDir = join(dir, "telemetry");
  const journal = await Journal.open({
    dir: journalDir,
    clock: systemClock,
    segmentBytesMax: 4e6,
    bytesMax: 1e9,
  });
  const follower = await JournalReader.open({ dir: journalDir });
  const stop = new AbortController();
  let carried = 0;
  const carrying = runCarrier({
    journal: follower,
    client,
    checkpointFile: join(dir, "carrier.json"),
    clock: systemClock,
    log: silent,
    signal: stop.signal,
    onProgress: ({ carriedThrough }) => {
      carried = carriedThrough;
    },
  });
  const store = new TraceStore(journal);
  return {
    reader: createTraceReader(client),
    async append(spans) {
      await store.append(spans);
      while (carried < journal.durableThrough) await wait(5);
    },
    async close() {
      stop.abort();
      await carrying;
      await client.close();
      await server.stop();
      await follower.close();
      await journal.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
