/**
 * Keeps the telemetry tables below a size on disk: while they are above it the oldest day goes, from every table that is
 * parted by days. The current day never goes: when it alone is too large that is said, and counted, and people must act.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import type { Clock } from "@skopos/model";
import { readError } from "../clickhouse/client.ts";
import type { Log } from "../clickhouse/supervise.ts";

export interface DiskUse {
  readonly bytes: number;
  /** Days dropped for their size since the start. */
  readonly daysDropped: number;
  /** How often the limit could not be kept without the current day. */
  readonly overLimit: number;
}

interface PartitionRow {
  readonly table: string;
  readonly partition: string;
  readonly partition_id: string;
  readonly bytes: number;
}

const dayMs = 86_400_000;

const hoursPerDay = 24;

/** The day of a partition, as days since 1970; six digits are hours, as of spans. Undefined when it is parted by something else. */
function dayOf(partition: string): number | undefined {
  if (/^'?\d{4}-\d\d-\d\d'?$/.test(partition))
    return Date.parse(partition.replaceAll("'", "")) / dayMs;
  if (/^\d{6}$/.test(partition)) return Math.floor(Number(partition) / hoursPerDay);
  return /^\d{1,5}$/.test(partition) ? Number(partition) : undefined;
}

export class DiskLimit {
  readonly #client: ClickHouseClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #bytesMax: number;
  #daysDropped = 0;
  #overLimit = 0;

  constructor(parts: { client: ClickHouseClient; clock: Clock; log: Log; bytesMax: number }) {
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#bytesMax = parts.bytesMax;
  }

  /** Looks, and drops what must go. Rejects with "unavailable". */
  async keep(): Promise<DiskUse> {
    const partitions = await this.#partitions();
    let bytes = partitions.reduce((sum, row) => sum + row.bytes, 0);
    const today = Math.floor(this.#clock.nowMs() / dayMs);
    const days = new Map<number, PartitionRow[]>();
    for (const row of partitions) {
      const day = dayOf(row.partition);
      if (day !== undefined && day < today) days.set(day, [...(days.get(day) ?? []), row]);
    }
    for (const [day, rows] of [...days].sort(([a], [b]) => a - b)) {
      if (bytes <= this.#bytesMax) break;
      const freed = rows.reduce((sum, row) => sum + row.bytes, 0);
      this.#log.warn(
        { day: new Date(day * dayMs).toISOString().slice(0, 10), bytes, bytesMax: this.#bytesMax },
        "telemetry takes more of the disk than it may: its oldest day is dropped",
      );
      for (const row of rows) await this.#drop(row);
      this.#daysDropped++;
      bytes -= freed;
    }
    if (bytes > this.#bytesMax) {
      this.#overLimit++;
      this.#log.error(
        { bytes, bytesMax: this.#bytesMax },
        "the current day of telemetry alone takes more of the disk than it may; raise storage.bytesMax or send less",
      );
    }
    return { bytes, daysDropped: this.#daysDropped, overLimit: this.#overLimit };
  }

  async #partitions(): Promise<PartitionRow[]> {
    try {
      const result = await this.#client.query({
        query: `SELECT table, partition, partition_id, toFloat64(sum(bytes_on_disk)) AS bytes FROM system.parts
          WHERE active AND database = currentDatabase() GROUP BY table, partition, partition_id`,
        format: "JSONEachRow",
      });
      return await result.json<PartitionRow>();
    } catch (error) {
      throw readError(error);
    }
  }

  async #drop({ table, partition_id }: PartitionRow): Promise<void> {
    try {
      await this.#client.command({
        query: `ALTER TABLE ${table} DROP PARTITION ID '${partition_id}'`,
      });
    } catch (error) {
      throw readError(error);
    }
  }
}
