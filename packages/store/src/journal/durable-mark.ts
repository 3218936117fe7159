/**
 * The durable mark: a 32-byte file `durable` that says up to where the journal is on disk, rewritten in place after each
 * sync. Readers in other threads and processes read no further. It is not synced itself: after a power cut it may be
 * behind the truth (recovery then looks further), never ahead of it.
 *
 *   0   8   "SKOPOSD1"
 *   8   8   position, u64 LE
 *   16  8   the journal's identity: Unix milliseconds of its making, f64 LE
 *   24  4   CRC-32C of bytes 0–23, u32 LE
 *   28  4   zero
 */
import { join } from "node:path";
import { crc32c, SkoposError } from "@skopos/model";
import { type OpenFile, writeAll } from "./files.ts";

const sizeBytes = 32;
const magic = Buffer.from("SKOPOSD1", "latin1");
/** A read may meet a write half-way; the next one will not, again and again. */
const attemptsMax = 100;

export interface DurableMark {
  readonly position: number;
  /** Positions of journals with different identities have nothing to do with each other. */
  readonly identity: number;
}

export function durableMarkPath(dir: string): string {
  return join(dir, "durable");
}

export async function writeDurableMark(file: OpenFile, mark: DurableMark): Promise<void> {
  const bytes = Buffer.alloc(sizeBytes);
  magic.copy(bytes);
  bytes.writeBigUInt64LE(BigInt(mark.position), 8);
  bytes.writeDoubleLE(mark.identity, 16);
  bytes.writeUInt32LE(crc32c(bytes, 0, 24), 24);
  await writeAll(file, bytes, 0);
}

/** Undefined when the file is empty, or torn by a power cut. */
export async function tryDurableMark(file: OpenFile): Promise<DurableMark | undefined> {
  const bytes = Buffer.alloc(sizeBytes);
  const count = await file.read(bytes, 0);
  const whole =
    count === sizeBytes &&
    bytes.subarray(0, magic.length).equals(magic) &&
    bytes.readUInt32LE(24) === crc32c(bytes, 0, 24);
  if (!whole) return undefined;
  return { position: Number(bytes.readBigUInt64LE(8)), identity: bytes.readDoubleLE(16) };
}

/** The mark of a journal that was opened for writing. Throws "journal-corrupt". */
export async function readDurableMark(file: OpenFile, dir: string): Promise<DurableMark> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const mark = await tryDurableMark(file);
    if (mark) return mark;
  }
  throw new SkoposError(
    "journal-corrupt",
    `${durableMarkPath(dir)} is damaged. Start the program that writes this journal: it finds the end from the segments.`,
  );
}
