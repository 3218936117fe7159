/**
 * Carries what the journal acknowledged, and what the head has sealed, into ClickHouse, on a thread of its own: neither
 * paging nor people wait for it. When ClickHouse is away it waits; when something is wrong that waiting does not mend, it
 * says so and tries again later. Spans and lines do not wait for metrics, nor these for them.
 */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, messageOf, sleep, SkoposError, systemClock } from "@skopos/model";
import {
  type ClickHouseConnection,
  DiskLimit,
  HeadMarks,
  type HeadShare,
  HeadView,
  type HistoryRetention,
  JournalReader,
  migrate,
  migrateHistory,
  openClickHouse,
  runCarrier,
  runHistoryCarrier,
  type SamplingOptions,
  type TelemetryRetention,
  Tombstones,
  TraceSampling,
} from "@skopos/store";
import { giveWayToPaging } from "./give-way.ts";
import { portLog } from "./port-log.ts";
import type { HistoryFiles } from "./telemetry-calls.ts";

export interface CarrierThreadData {
  readonly journalDir: string;
  readonly checkpointFile: string;
  readonly clickhouse: ClickHouseConnection;
  readonly head: HeadShare;
  readonly history: HistoryFiles & HistoryRetention;
  readonly retention: TelemetryRetention &
    Pick<SamplingOptions, "sampledOutMs" | "share" | "spansPerHourMax">;
  /** What telemetry may take of the disk. */
  readonly bytesMax: number | undefined;
}

const retryMs = 2000;
const thinMsMax = 1_800_000;
const lookAtDiskEveryMs = 60_000;

invariant(parentPort, "the carrier thread has a parent");
const port = parentPort;
const data = workerData as CarrierThreadData;
giveWayToPaging();
const log = portLog(port);
const stop = new AbortController();
port.on("message", (message: unknown) => {
  if (message === "stop") stop.abort();
});
const send = (event: string, value: unknown) => port.postMessage({ event, value });

/** Once for all that is carried: two migrations at a time would meet each other's half-made tables. */
let prepared: Promise<void> | undefined;
function prepare(): Promise<void> {
  prepared ??= migrate(data.clickhouse, data.retention).catch((error: unknown) => {
    prepared = undefined;
    throw error;
  });
  return prepared;
}

async function carryJournal(): Promise<void> {
  await prepare();
  const journal = await JournalReader.open({ dir: data.journalDir, clock: systemClock });
  const client = openClickHouse(data.clickhouse);
  // Thinning an hour of many spans takes its time.
  const patient = openClickHouse({ ...data.clickhouse, requestMsMax: thinMsMax });
  const sampling = new TraceSampling({
    client: patient,
    clock: systemClock,
    log,
    ...data.retention,
  });
  try {
    await runCarrier({
      journal,
      client,
      checkpointFile: data.checkpointFile,
      clock: systemClock,
      log,
      signal: stop.signal,
      onProgress: (progress) => send("progress", progress),
      upkeep: async () => void (await sampling.thinNext()),
    });
  } finally {
    await patient.close();
    await journal.close();
    await client.close();
  }
}

async function carryMetrics(): Promise<void> {
  await prepare();
  await migrateHistory(data.clickhouse, data.history);
  const client = openClickHouse(data.clickhouse);
  const marks = new HeadMarks(data.head);
  try {
    await runHistoryCarrier({
      source: new HeadView(data.head),
      marks,
      client,
      watermarkFile: data.history.watermarkFile,
      clock: systemClock,
      log,
      signal: stop.signal,
      tombstones: new Tombstones(data.history.tombstonesFile, marks),
      onProgress: (progress) => send("history", progress),
      onCleaned: (ids) => send("cleaned", ids),
    });
  } finally {
    await client.close();
  }
}

async function keepDiskLimit(): Promise<void> {
  const { bytesMax = Infinity } = data;
  const client = openClickHouse(data.clickhouse);
  const limit = new DiskLimit({ client, clock: systemClock, log, bytesMax });
  try {
    while (!stop.signal.aborted) {
      send("disk", await limit.keep());
      await sleep(systemClock, lookAtDiskEveryMs, stop.signal);
    }
  } finally {
    await client.close();
  }
}

async function again(work: () => Promise<void>, failure: string): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      await work();
    } catch (error) {
      const away = error instanceof SkoposError && error.code === "unavailable";
      if (!away) log.error({ error: messageOf(error) }, `${failure} and is tried again`);
      await sleep(systemClock, retryMs, stop.signal);
    }
  }
}

await Promise.all([
  again(carryJournal, "carrying the journal into ClickHouse failed"),
  again(carryMetrics, "carrying metrics into ClickHouse failed"),
  again(keepDiskLimit, "looking after ClickHouse's disk failed"),
]);
send("stopped", null);
port.close();
