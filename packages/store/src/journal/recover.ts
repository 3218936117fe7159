/**
 * What a journal's directory holds when it is opened: the segments must join without a gap; the last one is read to its
 * end. A bad frame below the durable mark is damage and stops the opening; beyond it the tail is torn and is cut, since
 * nothing there was acknowledged.
 */
import { tryDurableMark } from "./durable-mark.ts";
import type { Files, OpenFile } from "./files.ts";
import { readUpTo } from "./files.ts";
import { readFrame } from "./frame.ts";
import {
  corruptError,
  isSegmentHeader,
  listSegments,
  segmentHeaderBytes,
  segmentPath,
} from "./segment.ts";

export interface Recovered {
  /** Bases of the segments, ascending; empty for a new journal. */
  readonly bases: readonly number[];
  /** Where the next frame goes: the end of the last whole frame. */
  readonly end: number;
  /** The journal's identity, when it has one already. */
  readonly identity: number | undefined;
  /** Bytes of a torn tail that were cut. */
  readonly cutBytes: number;
}

/** Positions of the frames' ends in a segment's bytes, up to the first that is not whole. */
function endOfWholeFrames(segment: Buffer, base: number): number {
  let offset = segmentHeaderBytes;
  for (;;) {
    const frame = readFrame(segment, offset, base + offset);
    if (frame === "corrupt" || "needs" in frame) return base + offset;
    offset += frame.sizeBytes;
  }
}

async function usingFile<T>(file: OpenFile, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    await file.close();
  }
}

async function checkJoined(files: Files, dir: string, bases: readonly number[]): Promise<void> {
  for (const [i, base] of bases.entries()) {
    const next = bases[i + 1];
    if (next === undefined) return;
    const file = await files.open(segmentPath(dir, base), "read");
    const sizeBytes = await usingFile(file, () => file.sizeBytes());
    if (base + sizeBytes !== next)
      throw corruptError(dir, base, base + sizeBytes, `the segment ends ${next - base} bytes late`);
  }
}

async function cutLastSegment(dir: string, base: number, mark: number, file: OpenFile) {
  const sizeBytes = await file.sizeBytes();
  const bytes = await readUpTo(file, Buffer.allocUnsafe(sizeBytes), 0);
  if (!isSegmentHeader(bytes, base)) {
    if (mark > base) throw corruptError(dir, base, base, "bad segment header");
    return undefined;
  }
  const end = endOfWholeFrames(bytes, base);
  if (end < mark) throw corruptError(dir, base, end, "bad frame below the durable mark");
  const cutBytes = base + sizeBytes - end;
  if (cutBytes > 0) await file.truncate(end - base);
  // What was whole but perhaps not synced counts from now on.
  await file.sync();
  return { end, cutBytes };
}

export async function recover(files: Files, dir: string, markFile: OpenFile): Promise<Recovered> {
  const bases = await listSegments(files, dir);
  await checkJoined(files, dir, bases);
  const mark = await tryDurableMark(markFile);
  const identity = mark?.identity;
  const durable = mark?.position ?? 0;
  let cutBytes = 0;
  for (let base = bases.at(-1); base !== undefined; base = bases.at(-1)) {
    const file = await files.open(segmentPath(dir, base), "write");
    const lastBase = base;
    const cut = await usingFile(file, () => cutLastSegment(dir, lastBase, durable, file));
    if (cut) return { bases, end: cut.end, identity, cutBytes: cutBytes + cut.cutBytes };
    // A segment that was being made when the process died holds nothing yet.
    cutBytes += segmentHeaderBytes;
    await files.remove(segmentPath(dir, base));
    bases.pop();
  }
  // Where segments were taken away, positions go on, so that no checkpoint of a consumer comes to mean something else.
  return { bases, end: durable, identity, cutBytes };
}
