/**
 * Reads blocks of ClickHouse's Native format: numbers as they lie there, dictionaries once per block, and no text decoded
 * that is not asked for. What a block is made of native-block.ts tells, which writes them.
 *
 * Values are asked for in the order of the query's columns; the reader trusts that order, not the names.
 */
import { invariant } from "@skopos/model";

const wordBytes = 8;
/** LowCardinality: the low byte is the width of an index; of the others these two say where its dictionary is. */
const elsewhere = 0x100n;
const ownKeys = 0x200n;

/** Rows of a dictionary: its texts, and by row which one. */
export interface DictionaryRows {
  readonly texts: readonly string[];
  readonly at: Uint8Array | Uint16Array | Uint32Array;
}

export class NativeReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Of the block that is read. */
  #rows = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Enters the next block and gives its rows; undefined at the end. The block before must have been read whole. */
  block(): number | undefined {
    if (this.#at >= this.#bytes.length) return undefined;
    this.#varint();
    this.#rows = this.#varint();
    return this.#rows;
  }

  /** FixedString(size), Enum8 (1): the column's bytes, a view. */
  bytes(size: number): Buffer {
    this.#head();
    return this.#take(size * this.#rows);
  }

  /** Int64 and UInt64: of each value the low half, then the high one. */
  halves(): Int32Array {
    return new Int32Array(copyOf(this.bytes(wordBytes)));
  }

  /** LowCardinality(String) */
  dictionary(): DictionaryRows {
    this.#head();
    // Without rows there is nothing but the version.
    this.#take(wordBytes);
    if (this.#rows === 0) return { texts: [], at: new Uint8Array() };
    const flags = this.#word();
    invariant(
      (flags & (elsewhere | ownKeys)) === ownKeys,
      "the dictionary stands in front of its rows",
    );
    const texts: string[] = [];
    for (let left = Number(this.#word()); left > 0; left--) texts.push(this.#text());
    const count = Number(this.#word());
    switch (flags & 0xffn) {
      case 0n:
        return { texts, at: this.#take(count) };
      case 1n:
        return { texts, at: new Uint16Array(copyOf(this.#take(count * 2))) };
      default:
        return { texts, at: new Uint32Array(copyOf(this.#take(count * 4))) };
    }
  }

  /** Name and type of a column. */
  #head(): void {
    this.#take(this.#varint());
    this.#take(this.#varint());
  }

  #text(): string {
    return this.#take(this.#varint()).toString("utf8");
  }

  #word(): bigint {
    return this.#take(wordBytes).readBigUInt64LE();
  }

  #take(size: number): Buffer {
    const end = this.#at + size;
    invariant(end <= this.#bytes.length, "a block is whole");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#take(1)[0] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }
}

/** Typed arrays begin at multiples of their element's size; columns anywhere. */
function copyOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
