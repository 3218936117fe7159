/**
 * Reads container log files as they grow and hands their lines on. A file's position moves on only when its lines were
 * acknowledged, and is on disk soon after: after a crash the last lines may come twice, never not at all. Lines come again
 * with the same time, labels and text, so that a reader that drops duplicates shows them once.
 *
 * One round reads every file in turn, each a bounded piece, and waits for its acknowledgement before the next: that is the
 * back-pressure. What cannot be delivered now is read again in the next round.
 */
import { type FileHandle, open, readdir } from "node:fs/promises";
import path from "node:path";
import { type Clock, type LabelMap, type LogRecord, messageOf, sleep } from "@skopos/model";
import {
  containerOf,
  type ContainerPath,
  isLogFile,
  isRotated,
  parseCriLine,
  workloadOf,
} from "./container-log.ts";
import { type Position, Positions } from "./positions.ts";

export interface PodFacts {
  readonly labels: LabelMap;
  readonly node: string;
}

export interface LogTailerOptions {
  /** Like /var/log/pods. */
  readonly dir: string;
  readonly positionsFile: string;
  readonly clock: Clock;
  /** Resolves when the lines are acknowledged. */
  readonly take: (records: LogRecord[]) => Promise<unknown>;
  /** What the cluster says of a pod, while it is known. */
  readonly podOf?:
    | ((uid: string, namespace: string, pod: string) => PodFacts | undefined)
    | undefined;
  /** Called with what keeps files from being read or delivered; the same is not repeated at once. */
  readonly onTrouble: (reason: string) => void;
}

const roundMs = 500;
const pieceBytesMax = 1024 * 1024;
const filesMax = 20_000;
/** A line that goes on and on is handed on in parts of this size. */
const lineCharsMax = 200 * 1024;
const headBytes = 48;
const newline = 0x0a;

interface LogFile {
  readonly file: string;
  readonly container: ContainerPath;
  readonly rotated: boolean;
}

export class LogTailer {
  readonly #options: LogTailerOptions;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #trouble = "";
  /** Lines handed on, and lines that were not in the format. */
  readonly counts = { lines: 0, unreadable: 0 };

  constructor(options: LogTailerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { positionsFile, clock } = this.#options;
    const { signal } = this.#stop;
    const positions = await Positions.open(positionsFile);
    let first = !positions.resumed;
    while (!signal.aborted) {
      try {
        await this.#round(positions, first);
        first = false;
      } catch (error) {
        this.#report(messageOf(error));
      }
      await sleep(clock, roundMs, signal);
    }
  }

  #report(reason: string): void {
    if (reason !== this.#trouble) this.#options.onTrouble(reason);
    this.#trouble = reason;
  }

  async #round(positions: Positions, first: boolean): Promise<void> {
    const seen = new Set<string>();
    let moved = false;
    for (const logFile of await this.#files()) {
      if (this.#stop.signal.aborted) break;
      const handle = await this.#open(logFile.file);
      if (!handle) continue;
      try {
        moved = (await this.#readFile(handle, logFile, positions, seen, first)) || moved;
      } finally {
        await handle.close();
      }
    }
    if (!this.#stop.signal.aborted) positions.keepOnly(seen);
    if (moved || first) await positions.save();
  }

  /** A file that is gone is gone; one that may not be read does not keep the others from it. */
  async #open(file: string): Promise<FileHandle | undefined> {
    try {
      return await open(file, "r");
    } catch (error) {
      if (!isGone(error)) this.#report(`cannot read ${file}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Rotated files first: their lines are older. */
  async #files(): Promise<LogFile[]> {
    const files: LogFile[] = [];
    for (const podDir of await readdir(this.#options.dir)) {
      if (!podDir.includes("_")) continue;
      for (const containerDir of await readdirIfThere(path.join(this.#options.dir, podDir))) {
        const container = containerOf(podDir, containerDir);
        if (!container) continue;
        const dir = path.join(this.#options.dir, podDir, containerDir);
        for (const name of await readdirIfThere(dir))
          if (isLogFile(name))
            files.push({ file: path.join(dir, name), container, rotated: isRotated(name) });
      }
      if (files.length >= filesMax) {
        this.#report(`more than ${filesMax} log files: the others are not read`);
        break;
      }
    }
    return files.sort((a, b) => Number(b.rotated) - Number(a.rotated));
  }

  /** Reads one file as far as it goes now. Returns whether its position moved. */
  async #readFile(
    handle: FileHandle,
    logFile: LogFile,
    positions: Positions,
    seen: Set<string>,
    first: boolean,
  ): Promise<boolean> {
    const { dev, ino, size } = await handle.stat();
    const identity = `${dev}:${ino}`;
    seen.add(identity);
    const known = positions.get(identity);
    const head = known && known.head.length >= headBytes ? known.head : await headOf(handle);
    const same = known !== undefined && known.offset <= size && head.startsWith(known.head);
    // What was rotated before anybody looked is history that nobody asked for.
    const position: Position = same
      ? { offset: known.offset, head }
      : { offset: first && logFile.rotated ? size : 0, head };
    const startOffset = position.offset;
    positions.set(identity, position);
    const records = new RecordReader(this.#labelsOf(logFile.container));
    while (position.offset < size && !this.#stop.signal.aborted) {
      const piece = await readPiece(handle, position.offset, size);
      const read = records.read(piece, position.offset + piece.length >= size);
      if (read.bytes === 0) break;
      if (read.records.length > 0) await this.#options.take(read.records);
      this.counts.lines += read.records.length;
      this.counts.unreadable += read.unreadable;
      position.offset += read.bytes;
    }
    return position.offset !== startOffset || !same;
  }

  #labelsOf({ namespace, pod, uid, container }: ContainerPath): Record<string, string> {
    const facts = this.#options.podOf?.(uid, namespace, pod);
    const app = facts?.labels["app.kubernetes.io/name"] ?? facts?.labels["app"] ?? workloadOf(pod);
    const version = facts?.labels["app.kubernetes.io/version"] ?? facts?.labels["version"];
    return {
      namespace,
      pod,
      container,
      app,
      ...(version === undefined ? {} : { version }),
      ...(facts === undefined || facts.node === "" ? {} : { node: facts.node }),
    };
  }
}

/** Puts the lines of one file together. A line that goes on is kept in the file until its end is there. */
class RecordReader {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #streams = new Map<string, LabelMap>();

  constructor(labels: Readonly<Record<string, string>>) {
    this.#labels = labels;
  }

  /** `bytes` is how many of the piece are done with; 0 when it holds no whole line yet. */
  read(piece: Buffer, atEnd: boolean): { records: LogRecord[]; bytes: number; unreadable: number } {
    const records: LogRecord[] = [];
    let bytes = 0;
    let unreadable = 0;
    let text = "";
    let at = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, at)) {
      const line = parseCriLine(piece.toString("utf8", at, end));
      at = end + 1;
      if (!line) unreadable++;
      else {
        text += line.text;
        if (line.partial && text.length < lineCharsMax) continue;
        const labels = this.#labelsOf(line.stream);
        records.push({ timeNs: line.timeNs, labels, metadata: {}, line: text });
      }
      text = "";
      bytes = at;
    }
    // A whole piece without an end of a line is not a log of this format: it is passed over.
    if (bytes === 0 && (!atEnd || piece.length >= pieceBytesMax) && piece.length > 0)
      return { records, bytes: at > 0 ? at : piece.length, unreadable: unreadable + 1 };
    return { records, bytes, unreadable };
  }

  #labelsOf(stream: string): LabelMap {
    let labels = this.#streams.get(stream);
    if (!labels) {
      labels = { ...this.#labels, stream };
      this.#streams.set(stream, labels);
    }
    return labels;
  }
}

async function readPiece(handle: FileHandle, offset: number, size: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafe(Math.min(pieceBytesMax, size - offset));
  const { bytesRead } = await handle.read(piece, 0, piece.length, offset);
  return piece.subarray(0, bytesRead);
}

async function headOf(handle: FileHandle): Promise<string> {
  const head = Buffer.alloc(headBytes);
  const { bytesRead } = await handle.read(head, 0, headBytes, 0);
  return head.toString("latin1", 0, bytesRead);
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Directories come and go while they are listed. */
async function readdirIfThere(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
