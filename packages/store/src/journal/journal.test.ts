import { fork } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { crc32c, systemClock } from "@skopos/model";
import { SimulatedDisk } from "@skopos/testkit";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { diskFiles, type Files } from "./files.ts";
import { frameKinds } from "./frame.ts";
import { type JournalFrame, JournalReader } from "./journal-reader.ts";
import { Journal, type JournalOptions } from "./journal.ts";
import { listSegments } from "./segment.ts";

const dirs: string[] = [];
async function newDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "skopos-journal-"));
  dirs.push(dir);
  return dir;
}
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true });
});

const limits = { clock: systemClock, segmentBytesMax: 4096, bytesMax: 1e9, fsyncMs: 1 };

function openOn(disk: Files, more: Partial<JournalOptions> = {}): Promise<Journal> {
  return Journal.open({ dir: "j", files: disk, ...limits, ...more });
}

async function collect(frames: AsyncIterable<JournalFrame>): Promise<JournalFrame[]> {
  const found: JournalFrame[] = [];
  for await (const frame of frames) found.push(frame);
  return found;
}

async function texts(dir: string, files?: Files, from = 0): Promise<string[]> {
  const reader = await JournalReader.open({ dir, ...(files ? { files } : {}) });
  try {
    const frames = await collect(reader.read(from));
    return frames.map((frame) => Buffer.from(frame.payload).toString());
  } finally {
    await reader.close();
  }
}

/** Opened, filled with `count` frames and closed; returns the position after each. */
async function filled(dir: string, count: number, payload = (i: number) => `line ${i}`) {
  const journal = await Journal.open({ dir, ...limits });
  const positions = Array.from({ length: count }, (_, i) =>
    journal.append(3, Buffer.from(payload(i))),
  );
  await journal.close();
  return positions;
}

describe("crc32c", () => {
  it("gives the check value of RFC 3720 and does not depend on how the bytes are cut", () => {
    const bytes = Buffer.from("123456789");
    expect(crc32c(bytes)).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(bytes, 4, 9, crc32c(bytes, 0, 4))).toBe(0xe3069283);
  });
});

describe("journal", () => {
  it("gives back what was appended, across segments and openings, from any position", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 }), {
          minLength: 1,
          maxLength: 4,
        }),
        async (sessions) => {
          const disk = new SimulatedDisk();
          const positions: number[] = [];
          for (const payloads of sessions) {
            const journal = await openOn(disk);
            for (const payload of payloads) positions.push(journal.append(2, payload));
            await journal.close();
          }
          const reader = await JournalReader.open({ dir: "j", files: disk });
          const all = await collect(reader.read(0));
          expect(all.map((frame) => Buffer.from(frame.payload))).toEqual(
            sessions.flat().map((payload) => Buffer.from(payload)),
          );
          expect(all.map((frame) => frame.next)).toEqual(positions);
          for (const [i, position] of positions.entries())
            expect(await collect(reader.read(position))).toHaveLength(all.length - i - 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("keeps everything acknowledged through power cuts, full disks and failed syncs, in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.nat(9), { maxLength: 40 }),
        async (seed, steps) => {
          let state = seed >>> 0;
          const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
          const disk = new SimulatedDisk({ random });
          let journal = await openOn(disk);
          let number = 0;
          const acknowledged: number[] = [];
          for (const step of steps) {
            if (step === 0) disk.failingSyncs = 1;
            else if (step === 1) disk.capacityBytes = disk.usedBytes + 500;
            else if (step === 2) disk.capacityBytes = Number.POSITIVE_INFINITY;
            else if (step === 3) {
              disk.capacityBytes = Number.POSITIVE_INFINITY;
              await journal.close().catch(() => {});
              disk.crash();
              disk.failingSyncs = 0;
              journal = await openOn(disk);
            } else {
              const mine = number++;
              const position = journal.append(3, Buffer.from(`${mine} ${"x".repeat(step * 90)}`));
              await journal.flushed(position).then(
                () => acknowledged.push(mine),
                () => {},
              );
            }
          }
          await journal.close().catch(() => {});
          disk.crash();
          disk.capacityBytes = Number.POSITIVE_INFINITY;
          disk.failingSyncs = 0;
          await (await openOn(disk)).close();
          const kept = (await texts("j", disk)).map((text) => Number(text.split(" ")[0]));
          expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
          expect(acknowledged.filter((one) => !kept.includes(one))).toEqual([]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("cuts a torn tail when it is opened, and goes on behind it", async () => {
    const dir = await newDir();
    await filled(dir, 3);
    const segment = join(dir, "0000000000000000.seg");
    await appendFile(segment, Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 3, 0, 0, 0, 65, 66]));
    const journal = await Journal.open({ dir, ...limits });
    expect(journal.cutBytes).toBe(14);
    await journal.flushed(journal.append(3, Buffer.from("after")));
    await journal.close();
    expect(await texts(dir)).toEqual(["line 0", "line 1", "line 2", "after"]);
  });

  it("names file and offset of a frame that was acknowledged and is damaged", async () => {
    const disk = new SimulatedDisk();
    const journal = await openOn(disk);
    for (let i = 0; i < 3; i++) journal.append(3, Buffer.from(`line ${i}`));
    await journal.close();
    disk.corrupt("j/0000000000000000.seg", 32 + 18 + 14);
    const damage = { code: "journal-corrupt", message: /0000000000000000\.seg.* offset 50/ };
    await expect(texts("j", disk)).rejects.toMatchObject({ code: damage.code });
    await expect(texts("j", disk)).rejects.toThrow(damage.message);
    await expect(openOn(disk)).rejects.toThrow(damage.message);
  });

  it("refuses to open when acknowledged bytes are missing from the end", async () => {
    const dir = await newDir();
    await filled(dir, 3);
    await truncate(join(dir, "0000000000000000.seg"), 60);
    await expect(Journal.open({ dir, ...limits })).rejects.toMatchObject({
      code: "journal-corrupt",
    });
  });

  it("says disk-full, keeps order, and goes on when there is room again", async () => {
    const disk = new SimulatedDisk();
    const journal = await openOn(disk, { bufferBytesMax: 2000 });
    await journal.flushed(journal.append(3, Buffer.from("first")));
    disk.capacityBytes = disk.usedBytes + 10;
    const refused = journal.append(3, Buffer.from("second"));
    await expect(journal.flushed(refused)).rejects.toMatchObject({ code: "disk-full" });
    expect(journal.durableThrough).toBeLessThan(refused);
    expect(() => journal.append(3, Buffer.alloc(3000))).toThrow(/no space left/);
    const third = journal.append(3, Buffer.from("third"));
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    await journal.flushed(third);
    await journal.close();
    expect(await texts("j", disk)).toEqual(["first", "second", "third"]);
  });

  it("does not open on a full disk, and says so", async () => {
    const disk = new SimulatedDisk({ capacityBytes: 10 });
    await expect(openOn(disk)).rejects.toMatchObject({ code: "disk-full" });
    disk.capacityBytes = 1000;
    await (await openOn(disk)).close();
  });

  it("never acknowledges what a failed sync forgot", async () => {
    const disk = new SimulatedDisk();
    const journal = await openOn(disk);
    disk.failingSyncs = 1;
    const position = journal.append(3, Buffer.from("precious"));
    await expect(journal.flushed(position)).rejects.toMatchObject({ code: "unavailable" });
    await journal.flushed(position);
    disk.crash();
    await (await openOn(disk)).close();
    expect(await texts("j", disk)).toEqual(["precious"]);
  });

  it("refuses more than its buffer holds as overloaded, and more than its limit as disk-full", async () => {
    const disk = new SimulatedDisk();
    const journal = await openOn(disk, { bufferBytesMax: 1000, bytesMax: 2000, fsyncMs: 20 });
    journal.append(1, Buffer.alloc(900));
    expect(() => journal.append(1, Buffer.alloc(900))).toThrow(
      expect.objectContaining({ code: "overloaded" }),
    );
    await journal.flushed(journal.append(1, Buffer.alloc(50)));
    await journal.flushed(journal.append(1, Buffer.alloc(900)));
    expect(() => journal.append(1, Buffer.alloc(900))).toThrow(
      expect.objectContaining({ code: "disk-full" }),
    );
    await journal.close();
  });

  it("sheds log lines first, then spans, and samples last", async () => {
    const disk = new SimulatedDisk();
    const journal = await openOn(disk, { segmentBytesMax: 1e6, bytesMax: 10_000 });
    const refusedAt = [frameKinds.logs, frameKinds.spans, frameKinds.metrics].map((kind) => {
      for (;;) {
        try {
          journal.append(kind, Buffer.alloc(88));
        } catch {
          return journal.sizeBytes;
        }
      }
    });
    expect(refusedAt.map((sizeBytes) => Math.ceil(sizeBytes / 100))).toEqual([70, 85, 100]);
    await journal.close();
  });

  it("commits many appends with one sync", async () => {
    const disk = new SimulatedDisk();
    const journal = await openOn(disk, { segmentBytesMax: 1e6, fsyncMs: 5 });
    const before = disk.syncs;
    const positions = Array.from({ length: 500 }, (_, i) => journal.append(3, Buffer.from(`${i}`)));
    await Promise.all(positions.map((position) => journal.flushed(position)));
    expect(disk.syncs - before).toBe(1);
    await journal.close();
  });

  it("lets go of whole segments only, and says so to a reader that comes too late", async () => {
    const dir = await newDir();
    const positions = await filled(dir, 20, (i) => `${i} ${"x".repeat(1000)}`);
    const journal = await Journal.open({ dir, ...limits });
    const tenth = positions[9]!;
    await journal.truncateBefore(tenth);
    expect(journal.firstPosition).toBeGreaterThan(0);
    expect(journal.firstPosition).toBeLessThanOrEqual(tenth);
    expect(await texts(dir, undefined, tenth)).toHaveLength(10);
    await expect(texts(dir, undefined, positions[0])).rejects.toMatchObject({
      code: "journal-truncated",
    });
    await journal.close();
  });

  it("lets several let go of it at once, while it is written", async () => {
    const dir = await newDir();
    const journal = await Journal.open({ dir, ...limits });
    const positions: number[] = [];
    const removals: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) {
      positions.push(journal.append(3, Buffer.from(`${i} ${"x".repeat(500)}`)));
      if (i % 5 === 0) await journal.flushed(positions.at(-1) ?? 0);
      removals.push(journal.truncateBefore(positions[Math.max(0, i - 20)] ?? 0));
      if (i % 3 === 0) removals.push(journal.truncateBefore(positions[0] ?? 0));
    }
    await journal.flushed(positions.at(-1) ?? 0);
    removals.push(journal.truncateBefore(positions[180] ?? 0));
    await Promise.all(removals);
    expect(journal.firstPosition).toBeGreaterThan(positions[160] ?? 0);
    const [oldest] = await listSegments(diskFiles, dir);
    expect(oldest).toBe(journal.firstPosition);
    const kept = await texts(dir, undefined, positions[180]);
    expect(kept.map((text) => text.split(" ")[0])).toEqual(
      Array.from({ length: 19 }, (_, i) => String(181 + i)),
    );
    await journal.close();
  });

  it("goes on with its positions when all segments were taken away", async () => {
    const dir = await newDir();
    const last = (await filled(dir, 3)).at(-1)!;
    await rm(join(dir, "0000000000000000.seg"));
    const journal = await Journal.open({ dir, ...limits });
    expect(journal.append(3, Buffer.from("new"))).toBeGreaterThan(last);
    await journal.close();
    expect(await texts(dir, undefined, last)).toEqual(["new"]);
  });

  it("is followed by a reader while it is written", async () => {
    const dir = await newDir();
    const journal = await Journal.open({ dir, ...limits });
    const reader = await JournalReader.open({ dir });
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const frame of reader.follow(0, stop.signal)) {
        expect(frame.next).toBeLessThanOrEqual(journal.durableThrough);
        seen.push(Buffer.from(frame.payload).toString());
        if (seen.length === 300) stop.abort();
      }
    })();
    for (let i = 0; i < 300; i++) {
      const position = journal.append(1, Buffer.from(`${i} ${"y".repeat(i)}`));
      if (i % 20 === 0) await journal.flushed(position);
    }
    await following;
    expect(seen.map((text) => Number(text.split(" ")[0]))).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    );
    await reader.close();
    await journal.close();
  });

  it("has every frame that a killed process acknowledged", async () => {
    for (const acknowledgedMin of [40, 700]) {
      const dir = await newDir();
      const script = new URL("../testing/journal-writer-process.ts", import.meta.url);
      const child = fork(script, [dir], { execArgv: ["--import", "tsx"], silent: true });
      let acknowledged = 0;
      const lines = createInterface({ input: child.stdout! });
      for await (const line of lines) {
        acknowledged = Number(line);
        if (acknowledged >= acknowledgedMin) child.kill("SIGKILL");
      }
      await (await Journal.open({ dir, ...limits })).close();
      const numbers = (await texts(dir)).map((text) => Number(text.split(" ")[0]));
      expect(numbers.length).toBeGreaterThan(acknowledged);
      expect(numbers).toEqual(numbers.map((_, i) => i));
    }
  });

  it("writes the format that its document describes", async () => {
    const dir = await newDir();
    await filled(dir, 1, () => "hi");
    const bytes = await readFile(join(dir, "0000000000000000.seg"));
    expect(bytes.subarray(0, 8).toString()).toBe("SKOPOSJ1");
    expect(bytes.length).toBe(32 + 12 + 2);
    expect([bytes.readUInt32LE(32), bytes[40], bytes.subarray(44).toString()]).toEqual([
      2,
      3,
      "hi",
    ]);
    const position = Buffer.alloc(8);
    position.writeUInt32LE(32);
    const covered = Buffer.concat([position, bytes.subarray(32, 36), bytes.subarray(40)]);
    expect(bytes.readUInt32LE(36)).toBe(crc32c(covered));
  });
});
