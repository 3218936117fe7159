/**
 * Where the bodies of pages are gathered and inflated: memory that is used again, since a page is read as soon as it is
 * whole. Takes none before the first byte, since many requests wait at a time; grows by doubling; throws "too-large" beyond
 * the page's limit.
 */
import { IngestError } from "../errors.ts";

const firstBytes = 64 * 1024;
/** Larger ones are not kept for the next page, nor are more than these: the smallest go. */
const keptBytesMax = 4 * 2 ** 20;
const keptMax = 8;
/** The smallest first. */
const kept: Buffer[] = [];
const none = Buffer.alloc(0);

function keep(bytes: Buffer): void {
  if (bytes.length === 0 || bytes.length > keptBytesMax) return;
  const larger = kept.findIndex(({ length }) => length >= bytes.length);
  kept.splice(larger < 0 ? kept.length : larger, 0, bytes);
  if (kept.length > keptMax) kept.shift();
}

/** Memory of at least `size` bytes; where it must be made, of `sizeWanted`. */
function take(size: number, sizeWanted: number): Buffer {
  const fits = kept.findIndex(({ length }) => length >= size);
  const [found] = fits < 0 ? [] : kept.splice(fits, 1);
  return found ?? Buffer.allocUnsafeSlow(sizeWanted);
}

export class BodyBuffer {
  #bytes: Buffer = none;
  #length = 0;
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** Valid until `release`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    this.reserve(length).set(chunk, this.#length);
    this.#length = length;
  }

  /**
   * The memory, with room for `size` bytes and for no more than a page may have: for who writes there and then sets `length`.
   * What it held before is kept.
   */
  reserve(size: number): Buffer {
    if (size > this.#sizeMax)
      throw new IngestError(
        "too-large",
        `body_size_limit: the page is larger than ${this.#sizeMax} bytes`,
      );
    if (size > this.#bytes.length) {
      const before = this.#bytes;
      this.#bytes = take(size, Math.max(size, 2 * before.length, firstBytes));
      this.#bytes.set(before);
      keep(before);
    }
    return this.#bytes.subarray(0, this.#sizeMax);
  }

  set length(length: number) {
    this.#length = length;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Gives the memory back. Once, and the buffer is not used afterwards. */
  release(): void {
    keep(this.#bytes);
    this.#bytes = none;
    this.#length = 0;
  }
}
