/** The journal's door to the disk, narrow enough that a test can stand a faulty disk in it. */
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

export interface OpenFile {
  /** Writes some of the bytes at `position`; returns how many, which may be fewer than given. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Reads into `target` from `position`; returns how many bytes, 0 at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Resolves when what was written is on the disk. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

export interface Files {
  /** `create` makes the file when it is missing. Rejects with Node's errors (`code` "ENOENT", "ENOSPC", …). */
  open(path: string, mode: "read" | "write" | "create"): Promise<OpenFile>;
  makeDirectory(dir: string): Promise<void>;
  /** Names of the directory's entries. */
  list(dir: string): Promise<string[]>;
  remove(path: string): Promise<void>;
  /** Makes created and removed names durable. */
  syncDirectory(dir: string): Promise<void>;
}

const flags = { read: "r", write: "r+", create: "a+" } as const;

async function openDiskFile(path: string, mode: keyof typeof flags): Promise<OpenFile> {
  // "a+" ignores the position of a write, so a missing file is made with it and opened again.
  if (mode === "create") await (await open(path, flags.create)).close();
  const handle = await open(path, mode === "read" ? flags.read : flags.write);
  return {
    async write(bytes, position) {
      return (await handle.write(bytes, 0, bytes.length, position)).bytesWritten;
    },
    async read(target, position) {
      return (await handle.read(target, 0, target.length, position)).bytesRead;
    },
    sync: () => handle.datasync(),
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    sizeBytes: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}

export const diskFiles: Files = {
  open: openDiskFile,
  async makeDirectory(dir) {
    await mkdir(dir, { recursive: true });
  },
  list: (dir) => readdir(dir),
  remove: (path) => rm(path, { force: true }),
  async syncDirectory(dir) {
    const handle = await open(join(dir, "."), "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Writes all of `bytes`, however many calls it takes. */
export async function writeAll(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const written = await file.write(bytes.subarray(done), position + done);
    if (written <= 0) throw new Error(`the disk took none of ${bytes.length - done} bytes`);
    done += written;
  }
}

/** Fills as much of `target` as the file holds from `position`; returns the filled part. */
export async function readUpTo(file: OpenFile, target: Buffer, position: number): Promise<Buffer> {
  let done = 0;
  while (done < target.length) {
    const count = await file.read(target.subarray(done), position + done);
    if (count === 0) break;
    done += count;
  }
  return target.subarray(0, done);
}
