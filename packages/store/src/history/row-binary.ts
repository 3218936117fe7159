/**
 * Rows of a query as bytes, in ClickHouse's RowBinary: numbers little-endian, a String as LEB128 length and bytes, a Map
 * as LEB128 count and its keys and values in turn. Text formats would not bring arbitrary bytes back as they were.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import { CancelledError, type Clock, SkoposError } from "@skopos/model";
import { readError } from "../clickhouse/client.ts";
import type { Bindings, QueryLimits } from "../clickhouse/sql.ts";

export class BinaryRows {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  u32(): number {
    const at = this.#take(4);
    return this.#bytes.readUInt32LE(at);
  }

  /** Eight bytes as a text that is equal for equal numbers, and for no others. */
  id(): string {
    const at = this.#take(8);
    return this.#bytes.toString("latin1", at, at + 8);
  }

  skip(sizeBytes: number): void {
    this.#take(sizeBytes);
  }

  text(): string {
    const length = this.#varint();
    const at = this.#take(length);
    return this.#bytes.toString("utf8", at, at + length);
  }

  /** A view. */
  bytes(): Buffer {
    const length = this.#varint();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A Map of texts as its keys and values in turn. */
  map(): string[] {
    const out: string[] = [];
    for (let left = 2 * this.#varint(); left > 0; left--) out.push(this.text());
    return out;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 42; factor *= 128) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw torn();
  }

  #take(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw torn();
    return at;
  }
}

function torn(): SkoposError {
  return new SkoposError("unavailable", "ClickHouse's answer ends in the middle of a row");
}

export interface BinaryQuery {
  readonly client: ClickHouseClient;
  readonly clock: Clock;
  readonly limits: QueryLimits;
  readonly cancelled?: (() => boolean) | undefined;
}

const pollMs = 50;

/** Runs a query without FORMAT. Rejects with "cancelled", "limit", "bad-query", "unavailable". */
export async function queryBinary(
  { client, clock, limits, cancelled }: BinaryQuery,
  query: string,
  bindings: Bindings,
): Promise<BinaryRows> {
  const stop = new AbortController();
  let cancelPoll = () => {};
  const poll = () => {
    if (cancelled?.()) stop.abort();
    else cancelPoll = clock.after(pollMs, poll);
  };
  if (cancelled) poll();
  try {
    stop.signal.throwIfAborted();
    const { stream } = await client.exec({
      query: `${query}\nFORMAT RowBinary`,
      query_params: bindings.values,
      clickhouse_settings: {
        max_execution_time: limits.executionSecondsMax,
        max_memory_usage: String(limits.memoryBytesMax),
        max_result_bytes: String(limits.resultBytesMax),
        cancel_http_readonly_queries_on_client_close: 1,
      },
      abort_signal: stop.signal,
    });
    const parts: Buffer[] = [];
    for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
    return new BinaryRows(Buffer.concat(parts));
  } catch (error) {
    if (stop.signal.aborted) throw new CancelledError();
    throw readError(error);
  } finally {
    cancelPoll();
  }
}
