/**
 * Carries what the journal acknowledged into ClickHouse, on a thread of its own: neither paging nor people wait for it.
 * When ClickHouse is away it waits; when something is wrong that waiting does not mend, it says so and tries again later.
 */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, messageOf, sleep, SkoposError, systemClock } from "@skopos/model";
import {
  type ClickHouseConnection,
  JournalReader,
  migrate,
  openClickHouse,
  runCarrier,
} from "@skopos/store";
import { portLog } from "./port-log.ts";

export interface CarrierThreadData {
  readonly journalDir: string;
  readonly checkpointFile: string;
  readonly clickhouse: ClickHouseConnection;
}

const retryMs = 2000;

invariant(parentPort, "the carrier thread has a parent");
const port = parentPort;
const data = workerData as CarrierThreadData;
const log = portLog(port);
const stop = new AbortController();
port.on("message", (message: unknown) => {
  if (message === "stop") stop.abort();
});

async function carry(): Promise<void> {
  await migrate(data.clickhouse);
  const journal = await JournalReader.open({ dir: data.journalDir, clock: systemClock });
  const client = openClickHouse(data.clickhouse);
  try {
    await runCarrier({
      journal,
      client,
      checkpointFile: data.checkpointFile,
      clock: systemClock,
      log,
      signal: stop.signal,
      onProgress: (progress) => port.postMessage({ event: "progress", value: progress }),
    });
  } finally {
    await journal.close();
    await client.close();
  }
}

while (!stop.signal.aborted) {
  try {
    await carry();
  } catch (error) {
    const away = error instanceof SkoposError && error.code === "unavailable";
    if (!away)
      log.error(
        { error: messageOf(error) },
        "carrying the journal into ClickHouse failed and is tried again",
      );
    await sleep(systemClock, retryMs, stop.signal);
  }
}
port.postMessage({ event: "stopped", value: null });
port.close();
