/**
 * A disk in memory that fails as disks do: it fills up, takes part of a write, reports a failed sync and then forgets
 * what it could not write (as Linux does), and loses everything that was not synced when the machine dies.
 * Its shape is the store's door to the file system.
 */
export interface SimulatedDiskOptions {
  /** All files together; writes beyond fail with ENOSPC. */
  readonly capacityBytes?: number;
  /** A seeded number in [0, 1), for short writes and for what a power cut leaves. Absent: whole writes. */
  readonly random?: () => number;
}

interface Extent {
  readonly position: number;
  readonly bytes: Buffer;
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

class SimulatedFile {
  cached: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  dirty: Extent[] = [];
}

function writeInto(bytes: Buffer, extent: Extent): Buffer {
  const end = extent.position + extent.bytes.length;
  const grown = end > bytes.length ? Buffer.concat([bytes], end) : bytes;
  extent.bytes.copy(grown, extent.position);
  return grown;
}

export class SimulatedDisk {
  capacityBytes: number;
  /** The next so many syncs fail with EIO, and what they should have written is forgotten. */
  failingSyncs = 0;
  syncs = 0;
  readonly #random: (() => number) | undefined;
  readonly #files = new Map<string, SimulatedFile>();

  constructor(options: SimulatedDiskOptions = {}) {
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#random = options.random;
  }

  get usedBytes(): number {
    let sum = 0;
    for (const file of this.#files.values()) sum += file.cached.length;
    return sum;
  }

  /** The power goes: what was not synced is gone, but for a random piece of it when the disk is random. */
  crash(): void {
    for (const file of this.#files.values()) {
      for (const extent of this.#random ? file.dirty : []) {
        const kept = Math.floor((this.#random?.() ?? 0) * (extent.bytes.length + 1));
        const part = { position: extent.position, bytes: extent.bytes.subarray(0, kept) };
        file.durable = writeInto(file.durable, part);
      }
      file.cached = Buffer.from(file.durable);
      file.dirty = [];
    }
  }

  /** Flips one bit of a file, behind everybody's back. */
  corrupt(path: string, offset: number): void {
    const file = this.#file(path);
    for (const bytes of [file.cached, file.durable])
      bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  }

  open(path: string, mode: "read" | "write" | "create") {
    if (mode === "create" && !this.#files.has(path)) this.#files.set(path, new SimulatedFile());
    const file = this.#files.get(path);
    if (!file) return Promise.reject(failure("ENOENT"));
    return Promise.resolve({
      write: async (bytes: Uint8Array, position: number) => this.#write(file, bytes, position),
      read: async (target: Uint8Array, position: number) =>
        position >= file.cached.length ? 0 : file.cached.copy(target, 0, position),
      sync: async () => this.#sync(file),
      truncate: async (sizeBytes: number) => {
        file.cached = Buffer.concat([file.cached], sizeBytes);
        file.durable = Buffer.from(file.cached);
        file.dirty = [];
      },
      sizeBytes: async () => file.cached.length,
      close: async () => {},
    });
  }

  async makeDirectory(): Promise<void> {}

  async list(dir: string): Promise<string[]> {
    const inside = [...this.#files.keys()].filter((path) => path.startsWith(`${dir}/`));
    return inside.map((path) => path.slice(dir.length + 1));
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path);
  }

  async syncDirectory(): Promise<void> {}

  #file(path: string): SimulatedFile {
    const file = this.#files.get(path);
    if (!file) throw failure("ENOENT");
    return file;
  }

  #write(file: SimulatedFile, bytes: Uint8Array, position: number): number {
    const growth = Math.max(0, position + bytes.length - file.cached.length);
    const free = this.capacityBytes - this.usedBytes;
    let count = bytes.length - Math.max(0, growth - Math.max(0, free));
    if (count <= 0) throw failure("ENOSPC");
    if (this.#random && count > 1 && this.#random() < 0.3)
      count = 1 + Math.floor(this.#random() * (count - 1));
    const extent = { position, bytes: Buffer.from(bytes.subarray(0, count)) };
    file.cached = writeInto(file.cached, extent);
    file.dirty.push(extent);
    return count;
  }

  #sync(file: SimulatedFile): void {
    this.syncs++;
    if (this.failingSyncs > 0) {
      this.failingSyncs--;
      file.dirty = [];
      throw failure("EIO");
    }
    for (const extent of file.dirty) file.durable = writeInto(file.durable, extent);
    file.dirty = [];
  }
}
