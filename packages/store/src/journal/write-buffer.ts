/**
 * Bytes that wait for the disk, in blocks that each belong to one segment. A block that is being written is sealed;
 * later frames go to a new one. Blocks are let go only when they are known to be on disk.
 */
const blockBytes = 1024 * 1024;
/** Blocks kept for use again. */
const sparesMax = 8;

export interface Block {
  readonly bytes: Buffer;
  /** Base of the segment that it belongs to. */
  readonly base: number;
  /** Journal position of its first byte. */
  readonly position: number;
  length: number;
  sealed: boolean;
}

export class WriteBuffer {
  #blocks: Block[] = [];
  #spares: Buffer[] = [];
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Room for `sizeBytes` at journal position `position`, which follows what was reserved before. */
  reserve(base: number, position: number, sizeBytes: number): { bytes: Buffer; offset: number } {
    this.#sizeBytes += sizeBytes;
    const last = this.#blocks.at(-1);
    if (
      last &&
      !last.sealed &&
      last.base === base &&
      last.length + sizeBytes <= last.bytes.length
    ) {
      const offset = last.length;
      last.length += sizeBytes;
      return { bytes: last.bytes, offset };
    }
    const spare = sizeBytes <= blockBytes ? this.#spares.pop() : undefined;
    const bytes = spare ?? Buffer.allocUnsafe(Math.max(blockBytes, sizeBytes));
    this.#blocks.push({ bytes, base, position, length: sizeBytes, sealed: false });
    return { bytes, offset: 0 };
  }

  /** All blocks, oldest first; none of them grows from now on. */
  seal(): readonly Block[] {
    for (const block of this.#blocks) block.sealed = true;
    return [...this.#blocks];
  }

  /** Lets go of the `count` oldest blocks. */
  release(count: number): void {
    for (const block of this.#blocks.splice(0, count)) {
      this.#sizeBytes -= block.length;
      if (block.bytes.length === blockBytes && this.#spares.length < sparesMax)
        this.#spares.push(block.bytes);
    }
  }

  clear(): void {
    this.release(this.#blocks.length);
  }
}
