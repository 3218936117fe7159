/**
 * Inflates DEFLATE (RFC 1951) at once, into memory that its caller lends and uses again. Made for text that repeats itself
 * line after line: most of it comes by long matches, and matches that go on at the same distance are copied as one.
 */
import { IngestError } from "../errors.ts";
import { entryLengthBits, entryLengthMask, HuffmanCode } from "./huffman-code.ts";

/** Where inflated bytes go. */
export interface InflateTarget {
  /** Memory for `size` bytes and perhaps more; it begins with what the memory before held. Throws when it is too much. */
  reserve(size: number): Uint8Array;
}

const literalSymbolsMax = 286;
const distanceSymbolsMax = 30;
const endOfBlock = 256;
const firstLengthSymbol = 257;
/** In which order a block gives the lengths of the code for lengths of codes. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
const codeLengthBitsMax = 7;
/** By symbol: the smallest value, and how many bits are added to it. */
const lengths = ranges(29, 4, 3);
const distances = ranges(distanceSymbolsMax, 2, 1);
// The longest match has a symbol of its own.
lengths.base[28] = 258;
lengths.bits[28] = 0;

/** Ranges of which the first `2 * each` are one wide, and whose width then doubles every `each`. */
function ranges(count: number, each: number, first: number) {
  const base = new Uint16Array(count);
  const bits = new Uint8Array(count);
  let next = first;
  for (let i = 0; i < count; i++) {
    base[i] = next;
    bits[i] = Math.max(0, Math.floor(i / each) - 1);
    next += 2 ** (bits[i] ?? 0);
  }
  return { base, bits };
}

/** Shorter matches are copied by a loop, which is quicker than a call. */
const copyBytesMin = 24;
export function badGzip(reason: string): IngestError {
  return new IngestError(
    "bad-gzip",
    `the page is not the gzip that its header promises: ${reason}`,
  );
}

/** Used again; one stream at a time. */
export class Inflater {
  #source: Uint8Array = new Uint8Array(0);
  /** Next byte of the source, and the bits before it that are not done with: the lowest `#held` of `#hold`. */
  #at = 0;
  #hold = 0;
  #held = 0;
  #target: InflateTarget | undefined;
  #out: Uint8Array = new Uint8Array(0);
  #begin = 0;
  #size = 0;
  readonly #literals = new HuffmanCode(10, literalSymbolsMax + 2);
  readonly #distances = new HuffmanCode(8, distanceSymbolsMax + 2);
  readonly #codeLengths = new HuffmanCode(codeLengthBitsMax, lengthOrder.length);
  readonly #lengths = new Uint8Array(literalSymbolsMax + distanceSymbolsMax + 2);

  /** Bytes in the target after `inflate`. */
  get size(): number {
    return this.#size;
  }

  /**
   * Inflates the stream that begins at `source[at]` behind the `size` bytes that the target has, and returns where the
   * stream ends. At least eight bytes follow it, as gzip's trailer does. Throws "bad-gzip", and what the target throws.
   */
  inflate(source: Uint8Array, at: number, target: InflateTarget, size: number): number {
    this.#source = source;
    this.#at = at;
    this.#hold = 0;
    this.#held = 0;
    this.#target = target;
    this.#out = target.reserve(size);
    this.#begin = size;
    this.#size = size;
    try {
      while (!this.#block());
      return this.#at - (this.#held >>> 3);
    } finally {
      this.#source = this.#out = new Uint8Array(0);
      this.#target = undefined;
    }
  }

  /** Returns whether it was the last. */
  #block(): boolean {
    const isLast = this.#bits(1) === 1;
    const kind = this.#bits(2);
    if (kind === 0) this.#stored();
    else if (kind === 1) {
      this.#fixedCodes();
      this.#symbols();
    } else if (kind === 2) {
      this.#ownCodes();
      this.#symbols();
    } else throw badGzip("a block of no known kind");
    return isLast;
  }

  #need(bits: number): void {
    while (this.#held < bits) {
      if (this.#at >= this.#source.length) throw cutShort();
      this.#hold |= (this.#source[this.#at++] ?? 0) << this.#held;
      this.#held += 8;
    }
  }

  /** The next bits, 16 at most. */
  #bits(count: number): number {
    this.#need(count);
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#held -= count;
    return value;
  }

  #reserve(size: number): Uint8Array {
    if (size > this.#out.length && this.#target) this.#out = this.#target.reserve(size);
    return this.#out;
  }

  #stored(): void {
    this.#at -= this.#held >>> 3;
    this.#hold = 0;
    this.#held = 0;
    const length = this.#bits(16);
    if (this.#bits(16) !== (length ^ 0xffff)) throw badGzip("a length is not what its check says");
    const end = this.#at + length;
    if (end > this.#source.length) throw cutShort();
    this.#reserve(this.#size + length).set(this.#source.subarray(this.#at, end), this.#size);
    this.#at = end;
    this.#size += length;
  }

  #fixedCodes(): void {
    const own = this.#lengths;
    own.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288);
    this.#literals.make(own, 0, 288);
    own.fill(5, 0, 32);
    this.#distances.make(own, 0, 32);
  }

  #ownCodes(): void {
    const literals = firstLengthSymbol + this.#bits(5);
    const count = literals + 1 + this.#bits(5);
    const given = 4 + this.#bits(4);
    if (literals > literalSymbolsMax || count - literals > distanceSymbolsMax)
      throw badGzip("a code of too many symbols");
    const own = this.#lengths.fill(0);
    for (const symbol of lengthOrder.slice(0, given)) own[symbol] = this.#bits(3);
    if (!this.#codeLengths.make(own, 0, lengthOrder.length)) throw badGzip("no code for codes");
    this.#readLengths(count);
    if (own[endOfBlock] === 0) throw badGzip("a block without an end");
    if (!this.#literals.make(own, 0, literals)) throw badGzip("no code for literals");
    if (!this.#distances.make(own, literals, count - literals))
      throw badGzip("no code for distances");
  }

  #readLengths(count: number): void {
    const own = this.#lengths;
    for (let i = 0; i < count;) {
      const symbol = this.#codeLength();
      if (symbol < 16) {
        own[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw badGzip("nothing to repeat");
      const length = symbol === 16 ? (own[i - 1] ?? 0) : 0;
      const repeated =
        symbol === 16 ? 3 + this.#bits(2) : symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7);
      if (i + repeated > count) throw badGzip("more lengths than symbols");
      own.fill(length, i, (i += repeated));
    }
  }

  #codeLength(): number {
    // A code may be shorter than what is looked at, and be the last of the source.
    while (this.#held < codeLengthBitsMax && this.#at < this.#source.length)
      this.#need(this.#held + 1);
    const { table } = this.#codeLengths;
    const entry = table[this.#hold & (table.length - 1)] ?? 0;
    if (entry === 0) throw badGzip("bits that mean nothing");
    this.#bits(entry & entryLengthMask);
    return entry >>> entryLengthBits;
  }

  /**
   * The symbols of a block, with what the loop works on in locals. It reads four bytes ahead of what it uses: those behind
   * the stream are its trailer. Bits of `hold` above `held` are the next ones already, so reading them again changes nothing.
   */
  #symbols(): void {
    const source = this.#source;
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    const last = source.length - 4;
    const begin = this.#begin;
    const literalTable = this.#literals.table;
    const literalMask = literalTable.length - 1;
    const distanceTable = this.#distances.table;
    const distanceMask = distanceTable.length - 1;
    let at = this.#at;
    let hold = this.#hold;
    let held = this.#held;
    let out = this.#out;
    let size = this.#size;
    /** The copy to `runAt` up to `runEnd` that is put off, since the next match may go on with it. */
    let runAt = 0;
    let runEnd = 0;
    let runDistance = 0;
    for (;;) {
      if (at > last) throw cutShort();
      hold |= view.getInt32(at, true) << held;
      at += (31 - held) >>> 3;
      held |= 24;
      let entry = literalTable[hold & literalMask] ?? 0;
      if (entry === 0) entry = found(this.#literals, hold);
      hold >>>= entry & entryLengthMask;
      held -= entry & entryLengthMask;
      const symbol = entry >>> entryLengthBits;
      if (symbol < endOfBlock) {
        if (size === out.length) out = this.#reserve(size + 1);
        out[size++] = symbol;
        continue;
      }
      if (symbol === endOfBlock) break;
      const near = symbol - firstLengthSymbol;
      if (near >= lengths.base.length) throw badGzip("no such length");
      const lengthBits = lengths.bits[near] ?? 0;
      const length = (lengths.base[near] ?? 0) + (hold & ((1 << lengthBits) - 1));
      hold >>>= lengthBits;
      held -= lengthBits;
      if (at > last) throw cutShort();
      hold |= view.getInt32(at, true) << held;
      at += (31 - held) >>> 3;
      held |= 24;
      entry = distanceTable[hold & distanceMask] ?? 0;
      if (entry === 0) entry = found(this.#distances, hold);
      hold >>>= entry & entryLengthMask;
      held -= entry & entryLengthMask;
      const far = entry >>> entryLengthBits;
      if (far >= distances.base.length) throw badGzip("no such distance");
      const distanceBits = distances.bits[far] ?? 0;
      if (held < distanceBits) {
        if (at > last) throw cutShort();
        hold |= view.getInt32(at, true) << held;
        at += (31 - held) >>> 3;
        held |= 24;
      }
      const distance = (distances.base[far] ?? 0) + (hold & ((1 << distanceBits) - 1));
      hold >>>= distanceBits;
      held -= distanceBits;
      if (distance > size - begin) throw badGzip("a match before the begin");
      if (size + length > out.length) out = this.#reserve(size + length);
      if (distance === runDistance && size === runEnd && runEnd - runAt + length <= distance) {
        runEnd = size += length;
        continue;
      }
      // What is read may be what was put off.
      if (runEnd > runAt) out.copyWithin(runAt, runAt - runDistance, runEnd - runDistance);
      if (length >= copyBytesMin && distance >= length) {
        runDistance = distance;
        runAt = size;
        size += length;
      } else {
        for (const end = size + length; size < end; size++) out[size] = out[size - distance] ?? 0;
        runAt = size;
      }
      runEnd = size;
    }
    if (runEnd > runAt) out.copyWithin(runAt, runAt - runDistance, runEnd - runDistance);
    this.#at = at;
    this.#hold = hold & ((1 << held) - 1);
    this.#held = held;
    this.#size = size;
  }
}

function found(code: HuffmanCode, bits: number): number {
  const entry = code.find(bits);
  if (entry === 0) throw badGzip("bits that mean nothing");
  return entry;
}

function cutShort(): IngestError {
  return badGzip("it ends early");
}
