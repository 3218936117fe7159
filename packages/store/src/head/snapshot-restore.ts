/**
 * Brings a snapshot back into an empty head: first all that is recent, then, when asked again and again, the older
 * chunks, newest file first, a section at a time.
 */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type LabelSet, messageOf, SkoposError } from "@skopos/model";
import { GrowingColumn } from "./cells.ts";
import type { ExemplarImage } from "./exemplars.ts";
import type { FamilyImage, OlderChunks } from "./head-image.ts";
import type { Head } from "./head.ts";
import { windowRows } from "./memory.ts";
import { MetricFrameDecoder } from "./metrics-frame.ts";
import {
  familyHeaderBytes,
  type OlderFile,
  section,
  type SnapshotHeader,
  snapshotPath,
  snapshotVersion,
} from "./snapshot.ts";
import { SectionReader } from "./snapshot-sections.ts";

export interface RestoredSnapshot extends SnapshotHeader {
  readonly samples: number;
  /** Chunks that ended before it had been dropped: their columns may be other series' in the snapshot. */
  readonly droppedBeforeMs: number;
  readonly older: readonly OlderFile[];
  readonly savedThrough: ReadonlyMap<number, number>;
}

/**
 * Fills an empty head with the recent part of the snapshot in `dir`; undefined when there is none. Throws `bad-snapshot`
 * when it is damaged: what came before the damage is in the head then, and right, but nothing says what is missing.
 */
export async function readSnapshot(dir: string, head: Head): Promise<RestoredSnapshot | undefined> {
  const path = snapshotPath(dir);
  const file = await openIfThere(path);
  if (!file) return undefined;
  try {
    const sections = new SectionReader(file, path);
    const restore = new SnapshotRestore(head, sections);
    for (;;) {
      const { type, body } = await sections.next();
      const done = restore.section(type, body);
      if (done) return done;
    }
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
}

class SnapshotRestore {
  readonly #head: Head;
  readonly #sections: SectionReader;
  readonly #decoder = new MetricFrameDecoder();
  #header: SnapshotHeader | undefined;
  #group = -1;
  /** Names of the group at hand; by ref, their place in it plus one. */
  #labels: LabelSet[] = [];
  readonly #placeOfRef = new GrowingColumn();
  #refs: number[] = [];
  readonly #savedThrough = new Map<number, number>();
  #samples = 0;

  constructor(head: Head, sections: SectionReader) {
    this.#head = head;
    this.#sections = sections;
  }

  /** Returns the result at the last section. */
  section(type: number, body: Buffer): RestoredSnapshot | undefined {
    if (type === section.header) this.#header = readHeader(body, this.#sections);
    else if (type === section.group) this.#startGroup(String(recordOf(body)["key"]));
    else if (type === section.names) this.#names(body);
    else if (type === section.family) this.#family(body);
    else if (type === section.histograms)
      this.#head.restoreHistograms({
        segment: body.readUInt32LE(0),
        newestMs: body.readDoubleLE(4),
        bytes: body.subarray(12),
      });
    else if (type === section.exemplars)
      this.#head.restoreExemplars(JSON.parse(body.toString("utf8")) as ExemplarImage[]);
    else if (type === section.end && this.#header) {
      const json = recordOf(body);
      const older = json["older"] as OlderFile[];
      const dropped = json["droppedBeforeMs"];
      const droppedBeforeMs = typeof dropped === "number" ? dropped : -Infinity;
      const savedThrough = this.#savedThrough;
      return { ...this.#header, samples: this.#samples, droppedBeforeMs, older, savedThrough };
    } else throw this.#sections.bad(`section ${type} is unknown`);
    return undefined;
  }

  #startGroup(key: string): void {
    for (const ref of this.#refs) this.#placeOfRef.set(ref, 0);
    this.#refs = [];
    this.#labels = [];
    this.#group = this.#head.openGroup(key);
  }

  #names(body: Buffer): void {
    const names = this.#decoder.decode(body);
    if (names.type !== "declare") throw this.#sections.bad("names that are none");
    for (const [i, labels] of names.labels.entries()) {
      const ref = names.refs[i] ?? 0;
      this.#placeOfRef.set(ref, this.#labels.push(labels));
      this.#refs.push(ref);
    }
  }

  #family(body: Buffer): void {
    const image = readFamily(body);
    this.#savedThrough.set(image.uid, image.savedThroughMs);
    const places = this.#placeOfRef;
    this.#head.restoreFamily(this.#group, image, (ref) =>
      ref === 0 || ref > places.length ? undefined : this.#labels[places.at(ref - 1) - 1],
    );
    this.#samples += image.samples;
  }
}

function recordOf(body: Buffer): Record<string, unknown> {
  return JSON.parse(body.toString("utf8")) as Record<string, unknown>;
}

function readHeader(body: Buffer, sections: SectionReader): SnapshotHeader {
  const json = recordOf(body);
  if (json["version"] !== snapshotVersion || json["windowRows"] !== windowRows)
    throw sections.bad("it is of another version");
  return {
    position: Number(json["position"]),
    identity: Number(json["identity"]),
    recentFromMs: Number(json["recentFromMs"]),
  };
}

function readFamily(body: Buffer): FamilyImage & { readonly savedThroughMs: number } {
  const columns = body.readUInt32LE(4);
  const rows = body.readUInt32LE(8);
  const refs = copyOf(body.subarray(familyHeaderBytes), 4 * columns);
  const rest = body.subarray(familyHeaderBytes + 4 * columns);
  const times = copyOf(rest, 8 * rows);
  const cells = copyOf(rest.subarray(8 * rows), 8 * rows * columns);
  return {
    uid: body.readUInt32LE(0),
    unordered: body.readUInt32LE(16) === 1,
    columns,
    refs: new Uint32Array(refs),
    times: new Float64Array(times),
    cells: new Uint32Array(cells),
    chunks: chunksIn(rest.subarray(8 * rows * (1 + columns)), body.readUInt32LE(12)),
    samples: body.readDoubleLE(20),
    newestMs: body.readDoubleLE(28),
    savedThroughMs: body.readDoubleLE(36),
  };
}

/** At an offset that suits doubles. */
function copyOf(bytes: Buffer, length: number): ArrayBuffer {
  const copy = new ArrayBuffer(length);
  new Uint8Array(copy).set(bytes.subarray(0, length));
  return copy;
}

function chunksIn(bytes: Buffer, count: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    const size = bytes.readUInt32LE(at);
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** Of older chunks put back before appends go on. */
const stepBytesMax = 512 * 1024;

export interface OlderProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly samples: number;
}

/** The older chunks of a restored head. */
export class OlderRestore {
  readonly #dir: string;
  readonly #head: Head;
  readonly #files: readonly OlderFile[];
  readonly warnings: string[] = [];
  #filesDone = 0;
  #samples = 0;
  #stopped = false;

  constructor(dir: string, head: Head, files: readonly OlderFile[]) {
    this.#dir = dir;
    this.#head = head;
    this.#files = files.toSorted((a, b) => b.newestMs - a.newestMs);
  }

  get progress(): OlderProgress {
    const { length: filesTotal } = this.#files;
    return { filesDone: this.#filesDone, filesTotal, samples: this.#samples };
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Newest file first. `pause` is awaited between steps, so that appends go on. Never rejects. */
  async run(pause: () => Promise<void>): Promise<void> {
    for (const file of this.#files) {
      if (this.#stopped) return;
      try {
        if (!(await this.#file(file, pause))) break;
      } catch (error) {
        this.warnings.push(`${messageOf(error)}: some older samples are missing in the head`);
      }
      this.#filesDone++;
    }
    this.#head.restoredAll();
  }

  /** False when there is no room for more. */
  async #file({ name }: OlderFile, pause: () => Promise<void>): Promise<boolean> {
    const path = join(this.#dir, name);
    const file = await openIfThere(path);
    if (!file) throw new SkoposError("bad-snapshot", `${path} is missing`);
    try {
      const sections = new SectionReader(file, path);
      readHeader((await sections.next()).body, sections);
      let stepBytes = 0;
      while (!this.#stopped) {
        const { type, body } = await sections.next();
        if (type === section.end) return true;
        if (type !== section.older) throw sections.bad(`section ${type} is unknown`);
        const samples = this.#head.restoreOlder(readOlder(body));
        if (samples === undefined) return false;
        this.#samples += samples;
        stepBytes += body.length;
        if (stepBytes < stepBytesMax) continue;
        stepBytes = 0;
        await pause();
      }
      return true;
    } finally {
      await file.close();
    }
  }
}

function readOlder(body: Buffer): OlderChunks {
  return { uid: body.readUInt32LE(0), chunks: chunksIn(body.subarray(8), body.readUInt32LE(4)) };
}
