/**
 * Segments: the journal's files. A segment is named by its base, the journal position of its first byte, in 16 hex
 * digits; its header counts as 32 bytes of positions, so `file offset = position - base` and each segment begins where
 * the one before it ends.
 *
 *   0   8   "SKOPOSJ1"
 *   8   8   base, u64 LE
 *   16  8   Unix milliseconds of its making, f64 LE
 *   24  4   CRC-32C of bytes 0–23, u32 LE
 *   28  4   zero
 */
import { join } from "node:path";
import { crc32c, SkoposError } from "@skopos/model";
import type { Files, OpenFile } from "./files.ts";

export const segmentHeaderBytes = 32;
const magic = Buffer.from("SKOPOSJ1", "latin1");
const namePattern = /^([0-9a-f]{16})\.seg$/;

export function segmentPath(dir: string, base: number): string {
  return join(dir, `${base.toString(16).padStart(16, "0")}.seg`);
}

/** The bases of the directory's segments, ascending. */
export async function listSegments(files: Files, dir: string): Promise<number[]> {
  const bases: number[] = [];
  for (const name of await files.list(dir)) {
    const digits = namePattern.exec(name)?.[1];
    if (digits !== undefined) bases.push(Number.parseInt(digits, 16));
  }
  return bases.sort((a, b) => a - b);
}

export function segmentHeader(base: number, nowMs: number): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  magic.copy(header);
  header.writeBigUInt64LE(BigInt(base), 8);
  header.writeDoubleLE(nowMs, 16);
  header.writeUInt32LE(crc32c(header, 0, 24), 24);
  return header;
}

/** Whether `header` is the whole, unharmed header of the segment at `base`. */
export function isSegmentHeader(header: Buffer, base: number): boolean {
  return (
    header.length >= segmentHeaderBytes &&
    header.subarray(0, magic.length).equals(magic) &&
    header.readBigUInt64LE(8) === BigInt(base) &&
    header.readUInt32LE(24) === crc32c(header, 0, 24)
  );
}

export async function readSegmentHeader(file: OpenFile): Promise<Buffer> {
  const header = Buffer.alloc(segmentHeaderBytes);
  const count = await file.read(header, 0);
  return header.subarray(0, count);
}

/** The error for bytes that were acknowledged and can no longer be read. */
export function corruptError(dir: string, base: number, position: number, what: string) {
  return new SkoposError(
    "journal-corrupt",
    `${segmentPath(dir, base)}: ${what} at offset ${position - base} (journal position ${position}). ` +
      "Acknowledged data is damaged: restore this file from a copy, or move the directory away to start empty.",
  );
}
