/**
 * Following a query: the lines after a position, and the next position. What lies shortly before the newest delivered line
 * is read again, since lines of different senders arrive out of order; those delivered already are remembered by their hash.
 */
import { SkoposError } from "./errors.ts";
import type { LogLine, LogResult, TailBatch, TailPosition, TailRequest } from "./log.ts";

const overlapNs = 5_000_000_000n;
/** Beyond it the oldest are forgotten: a burst may then be delivered again in part rather than held without bound. */
const seenMax = 50_000;
const farNs = 2n ** 62n;

export async function readTail(
  lines: (startNs: bigint, endNs: bigint, limit: number) => Promise<LogResult>,
  { position, limit }: TailRequest,
): Promise<TailBatch> {
  const seen = new Set(position.seen);
  const beganNs = position.beganNs ?? position.newestNs;
  const overlapped = position.newestNs - overlapNs;
  const startNs = overlapped > beganNs ? overlapped : beganNs + 1n;
  const result = await lines(startNs, farNs, limit + seen.size);
  if (result.type !== "lines")
    throw new SkoposError("bad-query", "a metric query has no lines to follow");
  const found = result.records;
  const keys = found.map(keyOf);
  const fresh = found.filter((_, i) => !seen.has(keys[i] ?? ""));
  const records = fresh.slice(0, limit);
  const last = records.at(-1);
  const newestNs = last && last.timeNs > position.newestNs ? last.timeNs : position.newestNs;
  return {
    records,
    position: positionAt(beganNs, newestNs, [...position.seen, ...records.map(keyOf)]),
    more: fresh.length > limit || found.length >= limit + seen.size,
  };
}

function positionAt(beganNs: bigint, newestNs: bigint, keys: readonly string[]): TailPosition {
  const from = newestNs - overlapNs;
  const recent = keys.filter((key) => BigInt(key.slice(0, key.indexOf(" "))) >= from);
  return { beganNs, newestNs, seen: recent.slice(-seenMax) };
}

/** Its time and a 53-bit hash of labels and line. */
function keyOf({ timeNs, labels, metadata, line }: LogLine): string {
  const text = `${JSON.stringify(labels)}${JSON.stringify(metadata)}${line}`;
  return `${timeNs} ${hash53(text).toString(36)}`;
}

/** Two mixed 32-bit multiplicative hashes (cyrb53). */
function hash53(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}
