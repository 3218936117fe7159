/**
 * Where the bodies of pages are gathered: buffers that are used again, since a page is read as soon as it is whole. Grows by
 * doubling; throws "too-large" beyond the page's limit.
 */
import { IngestError } from "../errors.ts";

const firstBytes = 64 * 1024;
/** Larger ones are not kept for the next page, nor are more than these. */
const keptBytesMax = 4 * 2 ** 20;
const keptMax = 4;
const kept: Buffer[] = [];

export class BodyBuffer {
  #bytes = kept.pop() ?? Buffer.allocUnsafeSlow(firstBytes);
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
      const grown = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
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
    if (this.#bytes.length <= keptBytesMax && kept.length < keptMax) kept.push(this.#bytes);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
  }
}
