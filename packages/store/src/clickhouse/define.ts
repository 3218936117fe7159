/**
 * Tables and the disk. ClickHouse writes a table's definition anew when it changes; where there is no room it leaves an empty
 * file, reports no error, goes on with what it has in memory, and does not start again: it cannot read an empty definition.
 */
import { readdir, realpath, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { SkoposError } from "@skopos/model";

const mebibyte = 2 ** 20;
/** Definitions take some kilobytes; with less room than this other writers are about to fill the disk. */
const roomBytesMin = 16 * mebibyte;

/** Runs a statement that makes or changes a table. Rejects with "disk-full" while the disk has no room for definitions. */
export async function define(client: ClickHouseClient, query: string): Promise<void> {
  const freeBytes = await freeBytesOf(client);
  if (freeBytes !== undefined && freeBytes < roomBytesMin)
    throw new SkoposError(
      "disk-full",
      `ClickHouse's disk has ${Math.floor(freeBytes / mebibyte)} MiB left, tables want ${roomBytesMin / mebibyte}: make room, it is tried again`,
    );
  await client.command({ query });
}

/** Undefined where a cluster does not let its users know. */
async function freeBytesOf(client: ClickHouseClient): Promise<number | undefined> {
  try {
    const query = "SELECT toFloat64(min(free_space)) AS bytes FROM system.disks";
    const [row] = await (
      await client.query({ query, format: "JSONEachRow" })
    ).json<{ bytes: number }>();
    return row?.bytes;
  } catch {
    return undefined;
  }
}

const partName = /_\d+_\d+_\d+(?:_\d+)?$/;

/**
 * Before the engine opens `dir`: takes away empty definitions of tables that hold nothing, which are then made anew. Rejects
 * with "bad-data" when one of a table with rows is empty.
 */
export async function dropEmptyDefinitions(dir: string): Promise<void> {
  const metadata = path.join(dir, "metadata");
  for (const database of await namesIn(metadata)) {
    for (const name of await namesIn(path.join(metadata, database))) {
      const file = path.join(metadata, database, name);
      if (!name.endsWith(".sql") || (await stat(file)).size > 0) continue;
      const table = name.slice(0, -".sql".length);
      const data = path.join(dir, "data", database, table);
      if ((await namesIn(data)).some((each) => partName.test(each)))
        throw new SkoposError(
          "bad-data",
          `the definition of ${database}.${table} was lost on a full disk (${file} is empty): restore that file from a backup, or move ${dir} away to begin anew`,
        );
      await rm(data, { recursive: true, force: true });
      await rm(file);
    }
  }
}

/** Empty for what is not there, or no directory. */
async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(await realpath(dir));
  } catch {
    return [];
  }
}
