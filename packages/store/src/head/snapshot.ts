/**
 * The head on disk: `head.snapshot`, written beside and renamed. Sections, each `length u32le, crc32 u32le, payload`; the
 * payload's first byte is its type (docs/format/metrics-frame.md has the diagram):
 *
 *     1 header   JSON: version, position and identity of the journal it covers, rows of a window
 *     2 group    JSON: key
 *     3 names    a declaration (`metrics-frame.ts`): labels by column of the family that follows
 *     4 family   counts, then times and cells of the open window, then the chunks as they are in memory
 *     5 end      JSON: groups, samples
 *
 * A family and its names belong to the group before them. A snapshot is taken while samples come in: each group is of
 * one moment, different groups are of different moments, all after the position in the header. Replaying the journal
 * from there brings them together, because a sample that is there already is not added again.
 */
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { SkoposError } from "@skopos/model";
import type { FamilyImage, GroupImage } from "./head-image.ts";
import type { Head } from "./head.ts";
import { windowRows } from "./memory.ts";
import { MetricFrameDecoder, MetricFrameEncoder } from "./metrics-frame.ts";

const section = { header: 1, group: 2, names: 3, family: 4, end: 5 } as const;
const version = 1;
const sectionBytesMax = 2 ** 30;
const writeBytes = 1024 * 1024;
/** unordered u8, columns u32, rows u32, chunks u32, samples f64; little-endian. */
const familyHeaderBytes = 21;

export interface SnapshotHeader {
  /** The journal's position from which to replay. */
  readonly position: number;
  /** The journal's identity; 0 when it has none. */
  readonly identity: number;
}

export interface RestoredSnapshot extends SnapshotHeader {
  readonly samples: number;
}

export function snapshotPath(dir: string): string {
  return join(dir, "head.snapshot");
}

/**
 * Writes a snapshot beside the present one; the returned function puts it in its place. Yields between writes, so that
 * appends go on.
 */
export async function writeSnapshot(
  dir: string,
  head: Head,
  header: SnapshotHeader,
): Promise<() => Promise<void>> {
  const path = snapshotPath(dir);
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx");
  try {
    const writer = new SectionWriter((bytes) => file.write(bytes));
    writer.json(section.header, { version, windowRows, ...header });
    let groups = 0;
    let samples = 0;
    for (const group of head.groups()) {
      // Released while earlier groups were being written.
      if (!head.isOpen(group)) continue;
      samples += writeGroup(writer, head.image(group));
      groups++;
      await writer.flush(writeBytes);
    }
    writer.json(section.end, { groups, samples });
    await writer.flush(0);
    await file.sync();
  } finally {
    await file.close();
  }
  return async () => {
    await rename(temporary, path);
    const handle = await open(dir, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
}

class SectionWriter {
  readonly #write: (bytes: Uint8Array) => Promise<unknown>;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(write: (bytes: Uint8Array) => Promise<unknown>) {
    this.#write = write;
  }

  json(type: number, value: unknown): void {
    this.add(type, [Buffer.from(JSON.stringify(value))]);
  }

  /** Copies the parts. */
  add(type: number, parts: readonly Uint8Array[]): void {
    const payload = Buffer.concat([Uint8Array.of(type), ...parts]);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(payload.length, 0);
    head.writeUInt32LE(crc32(payload), 4);
    this.#pending.push(head, payload);
    this.#pendingBytes += head.length + payload.length;
  }

  /** Writes what waits when that is at least `bytesMin`. */
  async flush(bytesMin: number): Promise<void> {
    if (this.#pendingBytes < bytesMin) return;
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#write(bytes);
  }
}

function writeGroup(writer: SectionWriter, image: GroupImage): number {
  const encoder = new MetricFrameEncoder();
  writer.json(section.group, { key: image.key });
  let samples = 0;
  for (const family of image.families) {
    encoder.declare(0, "", [...family.labels.keys()], family.labels);
    writer.add(section.names, [encoder.frame()]);
    const counts = Buffer.alloc(familyHeaderBytes);
    counts.writeUInt8(family.unordered ? 1 : 0, 0);
    counts.writeUInt32LE(family.columns, 1);
    counts.writeUInt32LE(family.times.length, 5);
    counts.writeUInt32LE(family.chunks.length, 9);
    counts.writeDoubleLE(family.samples, 13);
    writer.add(section.family, [
      counts,
      bytesOf(family.times),
      bytesOf(family.cells),
      ...family.chunks,
    ]);
    samples += family.samples;
  }
  return samples;
}

function bytesOf(array: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/**
 * Fills an empty head from the snapshot in `dir`; undefined when there is none. Throws `bad-snapshot` when it is damaged:
 * what came before the damage is in the head then, and right, but nothing says what is missing.
 */
export async function readSnapshot(dir: string, head: Head): Promise<RestoredSnapshot | undefined> {
  const file = await open(snapshotPath(dir), "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const restore = new SnapshotRestore(head);
    const lengths = Buffer.alloc(8);
    for (;;) {
      const got = await file.read(lengths, 0, 8);
      if (got.bytesRead < 8) throw badSnapshot(dir, "its end is missing");
      const length = lengths.readUInt32LE(0);
      if (length === 0 || length > sectionBytesMax) throw badSnapshot(dir, "a section is damaged");
      const payload = Buffer.alloc(length);
      const { bytesRead } = await file.read(payload, 0, length);
      if (bytesRead < length) throw badSnapshot(dir, "a section is cut short");
      if (crc32(payload) !== lengths.readUInt32LE(4))
        throw badSnapshot(dir, "a checksum does not match");
      const done = restore.section(payload[0] ?? 0, payload.subarray(1), dir);
      if (done) return done;
    }
  } finally {
    await file.close();
  }
}

class SnapshotRestore {
  readonly #head: Head;
  readonly #decoder = new MetricFrameDecoder();
  #header: SnapshotHeader | undefined;
  #group = -1;
  #labels: FamilyImage["labels"] = [];
  #samples = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  /** Returns the result at the last section. */
  section(type: number, payload: Buffer, dir: string): RestoredSnapshot | undefined {
    if (type === section.header) this.#header = readHeader(payload, dir);
    else if (type === section.group) {
      this.#group = this.#head.openGroup(String(jsonOf(payload)["key"]));
    } else if (type === section.names) {
      const names = this.#decoder.decode(payload);
      this.#labels = names.type === "declare" ? names.labels : [];
    } else if (type === section.family) {
      const image = readFamily(payload, this.#labels);
      this.#head.restoreFamily(this.#group, image);
      this.#samples += image.samples;
    } else if (type === section.end && this.#header)
      return { ...this.#header, samples: this.#samples };
    else throw badSnapshot(dir, `section ${type} is unknown`);
    return undefined;
  }
}

function jsonOf(payload: Buffer): Record<string, unknown> {
  return JSON.parse(payload.toString("utf8")) as Record<string, unknown>;
}

function readHeader(payload: Buffer, dir: string): SnapshotHeader {
  const json = jsonOf(payload);
  if (json["version"] !== version || json["windowRows"] !== windowRows)
    throw badSnapshot(dir, "it is of another version");
  return { position: Number(json["position"]), identity: Number(json["identity"]) };
}

function readFamily(payload: Buffer, labels: FamilyImage["labels"]): FamilyImage {
  const columns = payload.readUInt32LE(1);
  const rows = payload.readUInt32LE(5);
  const chunkCount = payload.readUInt32LE(9);
  // A copy of its own, at an offset that suits doubles.
  const body = new Uint8Array(payload.subarray(familyHeaderBytes)).buffer;
  const chunks: Uint8Array[] = [];
  let at = 8 * rows + 8 * rows * columns;
  for (let i = 0; i < chunkCount; i++) {
    const size = new DataView(body).getUint32(at, true);
    chunks.push(new Uint8Array(body, at, size));
    at += size;
  }
  return {
    unordered: payload.readUInt8(0) === 1,
    columns,
    labels,
    times: new Float64Array(body, 0, rows),
    cells: new Uint32Array(body, 8 * rows, 2 * rows * columns),
    chunks,
    samples: payload.readDoubleLE(13),
  };
}

function badSnapshot(dir: string, what: string): SkoposError {
  return new SkoposError("bad-snapshot", `${snapshotPath(dir)}: ${what}`);
}
