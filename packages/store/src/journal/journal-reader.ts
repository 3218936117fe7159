/**
 * Reads a journal that another thread or process writes, up to what is durable. Owns nothing: the journal's directory is
 * the interface, and the durable mark in it says where to stop.
 */
import { type Clock, messageOf, SkoposError, sleep, systemClock } from "@skopos/model";
import { durableMarkPath, readDurableMark } from "./durable-mark.ts";
import { diskFiles, type Files, type OpenFile, readUpTo } from "./files.ts";
import { frameHeaderBytes, readFrame } from "./frame.ts";
import {
  corruptError,
  isSegmentHeader,
  listSegments,
  readSegmentHeader,
  segmentHeaderBytes,
  segmentPath,
} from "./segment.ts";

export interface JournalFrame {
  /** Where the frame begins. */
  readonly position: number;
  /** Where the next one begins; a checkpoint that includes this frame. Equals what `append` returned. */
  readonly next: number;
  readonly kind: number;
  /** Stays valid after the iteration goes on. */
  readonly payload: Uint8Array;
}

/** What a consumer of frames needs of the journal. */
export interface JournalReader {
  /**
   * The frames from `from` (0, or a frame's `next`) to what is durable now. 0 begins with the oldest that is kept.
   * Throws "journal-truncated" when `from` is no longer kept, "journal-corrupt".
   */
  read(from: number): AsyncIterable<JournalFrame>;
}

/** A reader that can also wait for more. */
export interface JournalFollower extends JournalReader {
  /** As `read`, then waits for more until the signal aborts. */
  follow(from: number, signal: AbortSignal): AsyncIterable<JournalFrame>;
  durableThrough(): Promise<number>;
  /** The position of the oldest byte that is kept. */
  firstPosition(): Promise<number>;
  /** Tells journals apart: a position means nothing in a journal of another identity. */
  identity(): Promise<number>;
  close(): Promise<void>;
}

const chunkBytes = 1024 * 1024;
const pollMs = 25;

interface JournalReaderOptions {
  readonly dir: string;
  readonly clock?: Clock;
  readonly files?: Files;
}

class DirectoryReader implements JournalFollower {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #files: Files;
  readonly #mark: OpenFile;

  private constructor(dir: string, clock: Clock, files: Files, mark: OpenFile) {
    this.#dir = dir;
    this.#clock = clock;
    this.#files = files;
    this.#mark = mark;
  }

  static async open(options: JournalReaderOptions): Promise<DirectoryReader> {
    const files = options.files ?? diskFiles;
    const mark = await files.open(durableMarkPath(options.dir), "read").catch((cause: unknown) => {
      const message = `there is no journal in ${options.dir} yet: ${messageOf(cause)}`;
      throw new SkoposError("unavailable", message, { cause });
    });
    return new DirectoryReader(options.dir, options.clock ?? systemClock, files, mark);
  }

  async durableThrough(): Promise<number> {
    return (await readDurableMark(this.#mark, this.#dir)).position;
  }

  async identity(): Promise<number> {
    return (await readDurableMark(this.#mark, this.#dir)).identity;
  }

  async firstPosition(): Promise<number> {
    return (await listSegments(this.#files, this.#dir))[0] ?? 0;
  }

  async *read(from: number): AsyncGenerator<JournalFrame> {
    yield* this.#frames(from, await this.durableThrough());
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<JournalFrame> {
    let position = from;
    while (!signal.aborted) {
      const before = position;
      const durable = await this.durableThrough();
      for await (const frame of this.#frames(position, durable)) {
        yield frame;
        position = frame.next;
        if (signal.aborted) return;
      }
      if (position === before) await sleep(this.#clock, pollMs, signal);
    }
  }

  async close(): Promise<void> {
    await this.#mark.close();
  }

  async *#frames(from: number, end: number): AsyncGenerator<JournalFrame> {
    let position = from;
    while (position < end) {
      const segment = await this.#segmentOf(position);
      const stop = Math.min(end, segment.end);
      position = yield* this.#segmentFrames(segment.base, Math.max(position, segment.base), stop);
    }
  }

  /** The segment that holds `position`; its end is infinite when it is the last. */
  async #segmentOf(position: number): Promise<{ base: number; end: number }> {
    const bases = await listSegments(this.#files, this.#dir);
    const first = bases[0];
    const index = position === 0 ? 0 : bases.findLastIndex((base) => base <= position);
    const base = bases[index];
    if (base !== undefined) return { base, end: bases[index + 1] ?? Number.POSITIVE_INFINITY };
    throw new SkoposError(
      "journal-truncated",
      `${this.#dir}: position ${position} is no longer kept; the oldest is ${first ?? "none"}`,
    );
  }

  async *#segmentFrames(
    base: number,
    from: number,
    end: number,
  ): AsyncGenerator<JournalFrame, number> {
    const file = await this.#files.open(segmentPath(this.#dir, base), "read");
    try {
      if (!isSegmentHeader(await readSegmentHeader(file), base))
        throw corruptError(this.#dir, base, base, "bad segment header");
      let position = Math.max(from, base + segmentHeaderBytes);
      let wantBytes = chunkBytes;
      while (position < end) {
        const room = Buffer.allocUnsafe(Math.min(wantBytes, end - position));
        const chunk = await readUpTo(file, room, position - base);
        let offset = 0;
        wantBytes = chunkBytes;
        while (position < end) {
          const frame = readFrame(chunk, offset, position);
          if (frame === "corrupt") throw corruptError(this.#dir, base, position, "bad frame");
          if ("needs" in frame) {
            if (position + frame.needs > end || chunk.length < room.length)
              throw corruptError(this.#dir, base, position, "the frame is cut short");
            wantBytes = Math.max(chunkBytes, frame.needs + frameHeaderBytes);
            break;
          }
          offset += frame.sizeBytes;
          const next = position + frame.sizeBytes;
          yield { position, next, kind: frame.kind, payload: frame.payload };
          position = next;
        }
      }
      return Math.max(position, end);
    } finally {
      await file.close();
    }
  }
}

export const JournalReader = {
  /** Opens the journal in `dir`. Rejects with "unavailable" when it was never opened for writing. */
  open: (options: JournalReaderOptions): Promise<JournalFollower> => DirectoryReader.open(options),
};
