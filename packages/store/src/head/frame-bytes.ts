/**
 * The numbers, strings and values that metric frames, histograms and snapshots are made of (docs/format/metrics-frame.md):
 * LEB128 varints below 2^53, zigzagged where signed, UTF-8 strings, and values, of which small integers take a byte or two.
 */
import { highWord, lowWord, SkoposError } from "@skopos/model";
import { f64, markerHigh, staleLow, u32, wordsOf } from "./cells.ts";

const rawCode = 1;
const staleCode = 3;
/** Larger integers are written raw, so that twice the value is exact. */
const integerMax = 2 ** 51;

/** Writes into one reused buffer; what `written` returns is valid until `clear`. */
export class FrameWriter {
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  varint(value: number): void {
    this.#reserve(9);
    let rest = value;
    while (rest >= 0x1000_0000) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    let small = rest | 0;
    while (small >= 128) {
      this.#bytes[this.#length++] = (small & 127) | 128;
      small >>>= 7;
    }
    this.#bytes[this.#length++] = small;
  }

  signed(value: number): void {
    this.varint(value >= 0 ? 2 * value : -2 * value - 1);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  text(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The first `count` values, bit for bit. */
  values(values: Float64Array, count: number): void {
    const words = wordsOf(values);
    for (let i = 0; i < count; i++) {
      const value = f64(values, i);
      this.#reserve(9);
      if (value >= 0 && value <= integerMax && Math.floor(value) === value) {
        // -0 compares as 0 and differs in its high word.
        if (value !== 0 || u32(words, 2 * i + highWord) === 0) {
          this.varint(2 * value);
          continue;
        }
      }
      const high = u32(words, 2 * i + highWord);
      const low = u32(words, 2 * i + lowWord);
      if (high === markerHigh && low === staleLow) {
        this.#bytes[this.#length++] = staleCode;
        continue;
      }
      this.#bytes[this.#length] = rawCode;
      this.#view.setUint32(this.#length + 1, low, true);
      this.#view.setUint32(this.#length + 5, high, true);
      this.#length += 9;
    }
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what a `FrameWriter` wrote. Throws `bad-frame` on bytes that none wrote. */
export class FrameReader {
  #bytes: Uint8Array = new Uint8Array();
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  open(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw badFrame("a byte beyond the end");
    return byte;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || factor > 2 ** 56) throw badFrame("a number beyond the end");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  signed(): number {
    const coded = this.varint();
    return coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
  }

  /** A number of things that take at least a byte each. */
  count(): number {
    const count = this.varint();
    // A run of consecutive refs takes less than a byte each, but their values do not.
    if (count > this.#bytes.length) throw badFrame(`a count of ${count}`);
    return count;
  }

  double(): number {
    if (this.#at + 8 > this.#bytes.length) throw badFrame("a double beyond the end");
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  text(): string {
    const length = this.varint();
    if (this.#at + length > this.#bytes.length) throw badFrame("a string beyond the end");
    const text = this.#decoder.decode(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return text;
  }

  values(into: Float64Array, count: number): void {
    const words = wordsOf(into);
    for (let i = 0; i < count; i++) {
      const code = this.varint();
      if (code % 2 === 0) into[i] = code / 2;
      else if (code === staleCode) {
        words[2 * i + highWord] = markerHigh;
        words[2 * i + lowWord] = staleLow;
      } else if (code === rawCode && this.#at + 8 <= this.#bytes.length) {
        words[2 * i + lowWord] = this.#view.getUint32(this.#at, true);
        words[2 * i + highWord] = this.#view.getUint32(this.#at + 4, true);
        this.#at += 8;
      } else throw badFrame("a value that is none");
    }
  }
}

export function badFrame(what: string): SkoposError {
  return new SkoposError("bad-frame", `metric frame: ${what}; was it written by a newer release?`);
}
