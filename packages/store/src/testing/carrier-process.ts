/** A process that carries the journal in argv[2] into the ClickHouse of argv[3] (JSON), with the checkpoint in argv[4]. */
import { systemClock } from "@skopos/model";
import { runCarrier } from "../clickhouse/carrier.ts";
import { type ClickHouseConnection, openClickHouse } from "../clickhouse/client.ts";
import { JournalReader } from "../journal/journal-reader.ts";

const [dir = "", connection = "", checkpointFile = ""] = process.argv.slice(2);
const tell = (text: string) => void process.stdout.write(`${text}\n`);

await runCarrier({
  journal: await JournalReader.open({ dir }),
  client: openClickHouse(JSON.parse(connection) as ClickHouseConnection),
  checkpointFile,
  clock: systemClock,
  log: { info: () => {}, warn: () => {}, error: () => {} },
  signal: new AbortController().signal,
  batchBytesMax: 20_000,
  onProgress: ({ carriedThrough }) => tell(String(carriedThrough)),
});
