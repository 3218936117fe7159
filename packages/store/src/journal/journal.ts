/**
 * The journal: one append-only log of checksummed frames in segment files, with group commit (docs/format/journal.md).
 *
 * - `append` copies the payload into a bounded buffer and returns its position at once; a position is acknowledged when
 *   `flushed` resolves, which is after the bytes and the names of new files were synced.
 * - Bytes stay in the buffer until a sync succeeded. After a failed write or sync everything since the last good sync is
 *   written again: the kernel forgets dirty pages that it could not write, so a second sync alone would prove nothing.
 * - One writer per directory; see `lockDataDirectory`.
 */
import { type Clock, invariant, LimitError, messageOf, SkoposError } from "@skopos/model";
import { durableMarkPath, writeDurableMark } from "./durable-mark.ts";
import { diskFiles, type Files, type OpenFile, writeAll } from "./files.ts";
import { frameHeaderBytes, isKind, payloadBytesMax, roomShare, writeFrame } from "./frame.ts";
import { recover, type Recovered } from "./recover.ts";
import { listSegments, segmentHeader, segmentHeaderBytes, segmentPath } from "./segment.ts";
import { WriteBuffer } from "./write-buffer.ts";

/** What a producer of frames needs of the journal. */
export interface JournalWriter {
  /** Adds a frame; returns the position after it. Throws "overloaded", "disk-full", "unavailable", "limit". */
  append(kind: number, payload: Uint8Array): number;
  /** Resolves when everything below `position` is on disk. Rejects with "disk-full" or "unavailable". */
  flushed(position: number): Promise<void>;
  /** Everything below is on disk. */
  readonly durableThrough: number;
}

export interface JournalOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** A segment is closed when the next frame would pass this. */
  readonly segmentBytesMax: number;
  /**
   * All segments together. Beyond it `append` throws "disk-full" until consumers let go of old segments; for spans and
   * log lines somewhat earlier (`roomShare`).
   */
  readonly bytesMax: number;
  /** Not yet synced bytes held in memory. Beyond it `append` throws. */
  readonly bufferBytesMax?: number;
  /** The longest wait before a sync begins after the first waiting append; at most 50. */
  readonly fsyncMs?: number;
  /**
   * Without it, frames whose sync failed stay in the buffer and are written when the disk is well again, though their
   * waiters were told of the failure. With it, they are cut off, so that rejected means absent, and their positions are
   * given out anew; it is called in the moment of the cut, before anything else can be appended.
   */
  readonly onDropped?: () => void;
  readonly files?: Files;
}

type Options = Required<Omit<JournalOptions, "onDropped">> & Pick<JournalOptions, "onDropped">;

const fsyncMsMax = 50;
const retryMs = 250;
/** So much waiting is written without waiting longer. */
const eagerBytes = 4 * 1024 * 1024;

interface Waiter {
  readonly position: number;
  resolve(): void;
  reject(error: SkoposError): void;
}

function diskError(dir: string, cause: unknown): SkoposError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `no space left for the journal in ${dir}: free some, writing goes on by itself`;
    return new SkoposError("disk-full", message, { cause });
  }
  const message = `the journal in ${dir} cannot be written: ${messageOf(cause)}`;
  return new SkoposError("unavailable", message, { cause });
}

export class Journal implements JournalWriter {
  readonly dir: string;
  /** Bytes of a torn tail that were cut when the journal was opened. */
  readonly cutBytes: number;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #options: Options;
  readonly #bases: number[];
  readonly #buffer: WriteBuffer;
  readonly #mark: OpenFile;
  readonly #identity: number;
  #file: { readonly base: number; readonly file: OpenFile } | undefined;
  #end: number;
  #durable: number;
  #waiters: Waiter[] = [];
  #cancelTimer: (() => void) | undefined;
  /** When the oldest append came that no flush has taken up yet. */
  #waitingSinceMs: number | undefined;
  #flushing: Promise<void> | undefined;
  #truncating: Promise<void> = Promise.resolve();
  #failure: SkoposError | undefined;
  #mustCut = false;
  #closed = false;

  private constructor(options: Options, mark: OpenFile, found: Recovered) {
    this.dir = options.dir;
    this.#options = options;
    this.#files = options.files;
    this.#clock = options.clock;
    this.#bases = [...found.bases];
    this.#end = found.end;
    this.#durable = found.end;
    this.cutBytes = found.cutBytes;
    this.#identity = found.identity ?? options.clock.nowMs();
    this.#mark = mark;
    this.#buffer = new WriteBuffer();
  }

  /** Opens or makes the journal in `dir`; cuts a torn tail. Rejects with "journal-corrupt", "disk-full", "unavailable". */
  static async open(given: JournalOptions): Promise<Journal> {
    const options: Options = {
      bufferBytesMax: 64 * 1024 * 1024,
      fsyncMs: 20,
      files: diskFiles,
      ...given,
    };
    const { files, dir, fsyncMs } = options;
    invariant(fsyncMs <= fsyncMsMax, `a sync within ${fsyncMsMax} ms`);
    try {
      await files.makeDirectory(dir);
      const mark = await files.open(durableMarkPath(dir), "create");
      try {
        const journal = new Journal(options, mark, await recover(files, dir, mark));
        await journal.#begin();
        return journal;
      } catch (error) {
        await mark.close();
        throw error;
      }
    } catch (error) {
      throw error instanceof SkoposError ? error : diskError(dir, error);
    }
  }

  get durableThrough(): number {
    return this.#durable;
  }

  /** The position of the oldest byte that is still kept. */
  get firstPosition(): number {
    return this.#bases[0] ?? 0;
  }

  get sizeBytes(): number {
    return this.#end - this.firstPosition;
  }

  /** The last failure to write, while it lasts. */
  get failure(): SkoposError | undefined {
    return this.#failure;
  }

  append(kind: number, payload: Uint8Array): number {
    invariant(isKind(kind), `frame kind ${kind}`);
    if (this.#closed) throw new SkoposError("unavailable", `the journal in ${this.dir} is closed`);
    if (payload.length > payloadBytesMax)
      throw new LimitError(
        `a frame of ${payload.length} bytes; the journal takes ${payloadBytesMax} at most, send smaller batches`,
      );
    const frameBytes = frameHeaderBytes + payload.length;
    this.#checkRoom(kind, frameBytes);
    let base = this.#lastBase();
    const inSegment = this.#end - base;
    if (inSegment > segmentHeaderBytes && inSegment + frameBytes > this.#options.segmentBytesMax) {
      base = this.#end;
      this.#startSegment(base);
    }
    const { bytes, offset } = this.#buffer.reserve(base, this.#end, frameBytes);
    writeFrame(bytes, offset, this.#end, kind, payload);
    this.#end += frameBytes;
    this.#waitingSinceMs ??= this.#clock.monotonicMs();
    this.#schedule();
    return this.#end;
  }

  flushed(position: number): Promise<void> {
    if (position <= this.#durable) return Promise.resolve();
    invariant(position <= this.#end, `position ${position} was never appended`);
    return new Promise((resolve, reject) => this.#waiters.push({ position, resolve, reject }));
  }

  /** Removes the segments that lie wholly below `position`; the newest one always stays. One removal at a time. */
  truncateBefore(position: number): Promise<void> {
    const before = this.#truncating;
    this.#truncating = (async () => {
      // Whoever asked for that removal hears how it ended.
      await before.catch(() => {});
      await this.#removeBefore(position);
    })();
    return this.#truncating;
  }

  async #removeBefore(position: number): Promise<void> {
    let removed = 0;
    for (let next = this.#bases[1]; next !== undefined; next = this.#bases[1]) {
      const base = this.firstPosition;
      if (next > Math.min(position, this.#durable) || this.#file?.base === base) break;
      await this.#files.remove(segmentPath(this.dir, base));
      this.#bases.shift();
      removed++;
    }
    if (removed > 0) await this.#files.syncDirectory(this.dir);
  }

  /** Writes what waits, once, and closes the files. Rejects when that did not reach the disk. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#flushing;
    await this.#truncating.catch(() => {});
    if (this.#buffer.sizeBytes > 0) await this.#flush();
    await this.#file?.file.close();
    await this.#mark.close();
    if (this.#durable < this.#end)
      throw this.#failure ?? new SkoposError("unavailable", `${this.dir}: not everything written`);
  }

  /** Makes the first segment of a new journal and publishes where the journal ends. */
  async #begin(): Promise<void> {
    if (this.#bases.length === 0) {
      this.#startSegment(this.#end);
      try {
        await this.#writePending();
      } catch (error) {
        await this.#file?.file.close();
        throw error;
      }
    }
    await this.#publish(this.#durable);
    await this.#mark.sync();
  }

  #lastBase(): number {
    const base = this.#bases.at(-1);
    invariant(base !== undefined, "a journal has a segment");
    return base;
  }

  #checkRoom(kind: number, frameBytes: number): void {
    const share = roomShare(kind);
    const bytesMax = this.#options.bytesMax * share;
    const bufferBytesMax = this.#options.bufferBytesMax * share;
    if (this.#buffer.sizeBytes + frameBytes > bufferBytesMax) {
      throw (
        this.#failure ??
        new SkoposError(
          "overloaded",
          `${this.#buffer.sizeBytes} bytes wait for the disk in ${this.dir}: send again in a second`,
        )
      );
    }
    if (this.sizeBytes + frameBytes > bytesMax) {
      throw new SkoposError(
        "disk-full",
        `the journal in ${this.dir} has reached its limit of ${bytesMax} bytes for frames of kind ${kind}: what reads it is behind, or the limit is too low`,
      );
    }
  }

  #startSegment(base: number): void {
    this.#bases.push(base);
    const header = segmentHeader(base, this.#clock.nowMs());
    const { bytes, offset } = this.#buffer.reserve(base, base, header.length);
    bytes.set(header, offset);
    this.#end = base + header.length;
  }

  #schedule(): void {
    if (this.#flushing || this.#closed) return;
    const eager = this.#buffer.sizeBytes >= eagerBytes && !this.#failure;
    if (this.#cancelTimer) {
      if (!eager) return;
      this.#cancelTimer();
    }
    this.#cancelTimer = this.#clock.after(eager ? 0 : this.#delayMs(), () => {
      this.#cancelTimer = undefined;
      void this.#flush();
    });
  }

  #delayMs(): number {
    if (this.#failure) return retryMs;
    const nowMs = this.#clock.monotonicMs();
    return Math.max(0, (this.#waitingSinceMs ?? nowMs) + this.#options.fsyncMs - nowMs);
  }

  /** One group commit. Never rejects: what went wrong is told to those who wait. */
  async #flush(): Promise<void> {
    invariant(!this.#flushing, "one flush at a time");
    this.#waitingSinceMs = undefined;
    this.#flushing = this.#writePending().then(
      () => this.#succeeded(),
      (error: unknown) => this.#failed(diskError(this.dir, error)),
    );
    await this.#flushing;
    this.#flushing = undefined;
    if (this.#buffer.sizeBytes > 0) this.#schedule();
  }

  #succeeded(): void {
    this.#failure = undefined;
    const durable = this.#durable;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.position > durable);
    for (const waiter of waiters) if (waiter.position <= durable) waiter.resolve();
  }

  #failed(error: SkoposError): void {
    this.#failure = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    if (this.#options.onDropped) {
      this.#dropPending();
      this.#options.onDropped();
    }
    for (const waiter of waiters) waiter.reject(error);
  }

  #dropPending(): void {
    this.#buffer.clear();
    this.#end = this.#durable;
    while (this.#bases.length > 1 && this.#lastBase() >= this.#durable) this.#bases.pop();
    this.#mustCut = true;
  }

  /** Writes and syncs all that is in the buffer, oldest first; publishes the durable position. */
  async #writePending(): Promise<void> {
    if (this.#mustCut) await this.#cutDropped();
    const blocks = this.#buffer.seal();
    let durable = this.#durable;
    for (const block of blocks) {
      const file = await this.#segmentFile(block.base);
      await writeAll(file, block.bytes.subarray(0, block.length), block.position - block.base);
      durable = block.position + block.length;
    }
    await this.#file?.file.sync();
    await this.#publish(durable);
    this.#buffer.release(blocks.length);
  }

  async #publish(durable: number): Promise<void> {
    await writeDurableMark(this.#mark, { position: durable, identity: this.#identity });
    this.#durable = durable;
  }

  /** The open file of the segment at `base`. A finished segment is synced before the next one is made. */
  async #segmentFile(base: number): Promise<OpenFile> {
    if (this.#file?.base === base) return this.#file.file;
    if (this.#file) {
      await this.#file.file.sync();
      await this.#file.file.close();
      this.#file = undefined;
    }
    const file = await this.#files.open(segmentPath(this.dir, base), "create");
    this.#file = { base, file };
    await this.#files.syncDirectory(this.dir);
    return file;
  }

  async #cutDropped(): Promise<void> {
    await this.#file?.file.close();
    this.#file = undefined;
    const base = this.#lastBase();
    for (const other of await listSegments(this.#files, this.dir))
      if (other > base) await this.#files.remove(segmentPath(this.dir, other));
    const file = await this.#segmentFile(base);
    await file.truncate(this.#durable - base);
    this.#mustCut = false;
  }
}
