/**
 * The head on disk (docs/format/metrics-frame.md has the bytes). `head.snapshot`, written beside and renamed, holds all
 * that rules need: names, open windows, recent chunks, histograms, exemplars. Chunks older than that do not change any
 * more: each checkpoint writes those that became old since the one before into one more `older-N.chunks`, once, and the
 * snapshot says which of these files there are. So a checkpoint costs by what is recent, not by what is kept.
 *
 * A snapshot is taken while samples come in: each group is of one moment, different groups are of different moments, all
 * after the position in the header. Replaying the journal from there brings them together, because a sample that is
 * there already is not added again.
 */
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { newestMsOfChunk } from "./chunk.ts";
import type { Declarations } from "./declarations.ts";
import type { FamilyImage, OlderChunks } from "./head-image.ts";
import type { Head } from "./head.ts";
import { windowRows } from "./memory.ts";
import type { HeadGroup } from "./places.ts";
import { SectionWriter } from "./snapshot-sections.ts";

export const section = {
  header: 1,
  group: 2,
  names: 3,
  family: 4,
  end: 5,
  histograms: 6,
  exemplars: 7,
  older: 8,
} as const;
export const snapshotVersion = 2;
/** uid, columns, rows, chunks u32; unordered u32; samples, newest, saved through f64; little-endian. */
export const familyHeaderBytes = 44;
/** Of chunks in one section of an older file: one step of restoring. */
const olderBytes = 256 * 1024;
const writeBytes = 1024 * 1024;
const exemplarsPerSection = 2000;

export interface SnapshotHeader {
  /** The journal's position from which to replay. */
  readonly position: number;
  /** The journal's identity; 0 when it has none. */
  readonly identity: number;
  /** Everything from here on is in the snapshot itself. */
  readonly recentFromMs: number;
}

/** A file of chunks that are not in the snapshot itself. */
export interface OlderFile {
  readonly name: string;
  readonly newestMs: number;
}

export function snapshotPath(dir: string): string {
  return join(dir, "head.snapshot");
}

/** Writes snapshots of one head into one directory, one at a time. */
export class SnapshotWriter {
  readonly #dir: string;
  readonly #head: Head;
  readonly #declarations: Declarations;
  #older: readonly OlderFile[];
  /** By uid of a family: chunks up to there are in older files. */
  #savedThrough: ReadonlyMap<number, number>;
  #nextNumber: number;

  constructor(
    dir: string,
    head: Head,
    declarations: Declarations,
    found: { older: readonly OlderFile[]; savedThrough: ReadonlyMap<number, number> },
  ) {
    this.#dir = dir;
    this.#head = head;
    this.#declarations = declarations;
    this.#older = found.older;
    this.#savedThrough = found.savedThrough;
    this.#nextNumber = 1 + Math.max(0, ...found.older.map(({ name }) => numberOf(name)));
  }

  /**
   * Writes a snapshot beside the present one; the returned function puts it in its place. Yields between writes, so
   * that appends go on. Older files that end before `keepFromMs` are let go of.
   */
  async write(header: SnapshotHeader, keepFromMs: number): Promise<() => Promise<void>> {
    const path = snapshotPath(this.#dir);
    const temporary = `${path}.new`;
    const name = `older-${this.#nextNumber++}.chunks`;
    await rm(temporary, { force: true });
    const file = await open(temporary, "wx");
    const olderFile = await open(join(this.#dir, name), "w");
    const savedThrough = new Map<number, number>();
    let kept: OlderFile[];
    try {
      const writer = new SectionWriter(file);
      writer.json(section.header, { version: snapshotVersion, windowRows, ...header });
      const older = new OlderWriter(olderFile, header);
      let groups = 0;
      let samples = 0;
      for (const group of this.#head.groups()) {
        // Released while earlier groups were being written.
        if (!this.#head.isOpen(group)) continue;
        samples += this.#writeGroup(writer, older, group, header.recentFromMs, savedThrough);
        groups++;
        await writer.flush(writeBytes);
        await older.writer.flush(writeBytes);
      }
      for (const part of this.#head.histogramSegments()) {
        writeHistograms(writer, part);
        await writer.flush(writeBytes);
      }
      await this.#writeExemplars(writer);
      await older.finish();
      const found = [...this.#older, { name, newestMs: older.newestMs }];
      kept = found.filter(({ newestMs }) => newestMs >= keepFromMs);
      const droppedBeforeMs = this.#head.cutoffMs;
      writer.json(section.end, { groups, samples, older: kept, droppedBeforeMs });
      await writer.flush(0);
      await file.sync();
    } finally {
      await file.close();
      await olderFile.close();
    }
    return async () => {
      // The names of older files, too, before a snapshot that counts on them.
      await syncDirectory(this.#dir);
      await rename(temporary, path);
      await syncDirectory(this.#dir);
      this.#older = kept;
      this.#savedThrough = savedThrough;
      await removeOthers(this.#dir, kept);
    };
  }

  async #writeExemplars(writer: SectionWriter): Promise<void> {
    for (let from = 0; ;) {
      const piece = this.#head.exemplarImages(from, exemplarsPerSection);
      if (!piece) return;
      writer.json(section.exemplars, piece.images);
      await writer.flush(0);
      // More may have come since; they are in the journal.
      if (piece.images.length < exemplarsPerSection) return;
      from = piece.next;
    }
  }

  #writeGroup(
    writer: SectionWriter,
    older: OlderWriter,
    group: HeadGroup,
    recentFromMs: number,
    savedThrough: Map<number, number>,
  ): number {
    writer.json(section.group, { key: group.key });
    for (const frame of this.#declarations.of(group)) writer.add(section.names, [frame]);
    for (const part of this.#head.olderChunks(group, recentFromMs)) {
      const known = this.#savedThrough.get(part.uid) ?? -Infinity;
      const chunks = part.chunks.filter((chunk) => newestMsOfChunk(chunk) > known);
      const last = chunks.at(-1);
      savedThrough.set(part.uid, last ? newestMsOfChunk(last) : known);
      older.add({ uid: part.uid, chunks });
    }
    let samples = 0;
    for (const image of this.#head.image(group, recentFromMs)) {
      const saved = savedThrough.get(image.uid) ?? this.#savedThrough.get(image.uid) ?? -Infinity;
      savedThrough.set(image.uid, saved);
      writeFamily(writer, image, saved);
      samples += image.samples;
    }
    return samples;
  }
}

class OlderWriter {
  readonly writer: SectionWriter;
  readonly #file: FileHandle;
  newestMs = -Infinity;

  constructor(file: FileHandle, header: SnapshotHeader) {
    this.#file = file;
    this.writer = new SectionWriter(file);
    this.writer.json(section.header, { version: snapshotVersion, windowRows, ...header });
  }

  /** Newest first, a piece at a time, since that is the order in which they are put back. */
  add({ uid, chunks }: OlderChunks): void {
    let end = chunks.length;
    while (end > 0) {
      let from = end - 1;
      let bytes = chunks[from]?.length ?? 0;
      while (from > 0 && bytes + (chunks[from - 1]?.length ?? 0) <= olderBytes)
        bytes += chunks[--from]?.length ?? 0;
      const piece = chunks.slice(from, end);
      const counts = Buffer.alloc(8);
      counts.writeUInt32LE(uid, 0);
      counts.writeUInt32LE(piece.length, 4);
      this.writer.add(section.older, [counts, ...piece]);
      for (const chunk of piece) this.newestMs = Math.max(this.newestMs, newestMsOfChunk(chunk));
      end = from;
    }
  }

  async finish(): Promise<void> {
    this.writer.json(section.end, {});
    await this.writer.flush(0);
    await this.#file.sync();
  }
}

function writeFamily(writer: SectionWriter, image: FamilyImage, savedThroughMs: number): void {
  const counts = Buffer.alloc(familyHeaderBytes);
  counts.writeUInt32LE(image.uid, 0);
  counts.writeUInt32LE(image.columns, 4);
  counts.writeUInt32LE(image.times.length, 8);
  counts.writeUInt32LE(image.chunks.length, 12);
  counts.writeUInt32LE(image.unordered ? 1 : 0, 16);
  counts.writeDoubleLE(image.samples, 20);
  counts.writeDoubleLE(image.newestMs, 28);
  counts.writeDoubleLE(savedThroughMs, 36);
  writer.add(section.family, [
    counts,
    bytesOf(image.refs),
    bytesOf(image.times),
    bytesOf(image.cells),
    ...image.chunks,
  ]);
}

function writeHistograms(
  writer: SectionWriter,
  part: { segment: number; newestMs: number; bytes: Uint8Array },
): void {
  const counts = Buffer.alloc(12);
  counts.writeUInt32LE(part.segment, 0);
  counts.writeDoubleLE(part.newestMs, 4);
  writer.add(section.histograms, [counts, part.bytes]);
}

function bytesOf(array: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function numberOf(name: string): number {
  return Number(/^older-(\d+)\.chunks$/.exec(name)?.[1] ?? 0);
}

/** Older files that no snapshot names. */
async function removeOthers(dir: string, kept: readonly OlderFile[]): Promise<void> {
  const names = new Set(kept.map(({ name }) => name));
  for (const name of await readdir(dir))
    if (numberOf(name) > 0 && !names.has(name)) await rm(join(dir, name), { force: true });
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
