/**
 * Takes deleted samples out of the history for good. Rows that lie in the deletion as wholes are deleted; those of the
 * slices that its ends cut are written again, without what was deleted, as later versions. Readers honour the tombstone
 * all the while, so a crash in between only means to do it again.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import type { Clock, Matcher } from "@skopos/model";
import { readError } from "../clickhouse/client.ts";
import { Bindings } from "../clickhouse/sql.ts";
import type { HistoryReader } from "./history-reader.ts";
import { maskBlock } from "./masked-reader.ts";
import { historySlices, sliceMs } from "./schema.ts";
import { insertRows } from "./slice-insert.ts";
import { SliceRows } from "./slice-rows.ts";
import { rowsSql, slicesIn } from "./slice-sql.ts";
import type { Grave } from "./tombstones.ts";

export interface CleanParts {
  readonly client: ClickHouseClient;
  readonly reader: HistoryReader;
  readonly clock: Clock;
}

/** Rejects with "unavailable" and "limit"; may be repeated. */
export async function cleanGrave(parts: CleanParts, grave: Grave): Promise<void> {
  const range = slicesIn(Math.max(0, grave.startMs) - 1, grave.endMs);
  if (!range) return;
  for (const table of historySlices)
    for (const matchers of grave.matcherSets) {
      const bindings = new Bindings();
      const rows = rowsSql(bindings, matchers, range);
      const first = bindings.bind("Int64", Math.ceil(Math.max(0, grave.startMs)));
      const last = bindings.bind("Int64", Math.floor(grave.endMs));
      const inside = `toInt64(slice) * ${sliceMs} + first_ms >= ${first} AND toInt64(slice) * ${sliceMs} + last_ms <= ${last}`;
      await command(
        parts.client,
        `ALTER TABLE ${table} DELETE WHERE ${rows} AND ${inside}`,
        bindings,
      );
    }
  for (const slice of new Set([range.first, range.last]))
    for (const matchers of grave.matcherSets) await rewrite(parts, grave, matchers, slice);
}

async function rewrite(
  { client, reader, clock }: CleanParts,
  grave: Grave,
  matchers: readonly Matcher[],
  slice: number,
): Promise<void> {
  const isRaw = (await reader.rawSince()) <= slice;
  const block = await reader.select({
    matchers,
    startMs: slice * sliceMs,
    endMs: (slice + 1) * sliceMs,
    seriesMax: 2_000_000,
    samplesMax: 500_000_000,
  });
  if (block.labels.length === 0) return;
  const rows = new SliceRows(slice, clock.nowMs(), new Set());
  rows.add(maskBlock(block, [grave]));
  if (!isRaw) rows.slices.clear();
  await insertRows(client, rows);
  for (const table of historySlices)
    await command(client, `OPTIMIZE TABLE ${table} PARTITION ID '${partitionOf(slice)}' FINAL`);
}

function partitionOf(slice: number): number {
  return Math.floor(slice / 24);
}

async function command(
  client: ClickHouseClient,
  query: string,
  bindings = new Bindings(),
): Promise<void> {
  try {
    await client.command({
      query,
      query_params: bindings.values,
      clickhouse_settings: { mutations_sync: "2" },
    });
  } catch (error) {
    throw readError(error);
  }
}
