/**
 * Samples of one series as a chunk of encoding XOR: a count of two bytes, then times as differences of differences and
 * values as differences of bits. Source: prometheus tsdb/chunkenc/xor.go.
 */
import { BitBuffer, fits, XorColumn } from "./bits.ts";

const countBytes = 2;

/** `prometheus.Chunk`. */
export interface Chunk {
  readonly encoding: 1 | 3;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: Uint8Array;
}

export class FloatChunk {
  readonly #bits = new BitBuffer();
  #values: XorColumn | undefined;
  #delta = 0;
  #firstMs = 0;
  #lastMs = 0;
  count = 0;

  /** `timeMs` after that of the sample before; `low` and `high` are the words of the value, a NaN's payload included. */
  add(timeMs: number, low: number, high: number): void {
    const bits = this.#bits;
    const delta = timeMs - this.#lastMs;
    if (!this.#values) {
      bits.write(0, 8 * countBytes);
      bits.varint(timeMs);
      this.#values = new XorColumn(bits, low, high);
      this.#firstMs = timeMs;
    } else {
      if (this.count === 1) bits.uvarint(delta);
      else writeDeltaOfDelta(bits, delta - this.#delta);
      this.#values.write(bits, low, high);
      this.#delta = delta;
    }
    this.#lastMs = timeMs;
    this.count++;
  }

  /** What was added; what is added then begins a new chunk. */
  take(): Chunk {
    this.#bits.setUint16(0, this.count);
    const bytes = this.#bits.take();
    this.#values = undefined;
    this.count = 0;
    return { encoding: 1, firstMs: this.#firstMs, lastMs: this.#lastMs, bytes };
  }
}

function writeDeltaOfDelta(bits: BitBuffer, value: number): void {
  if (value === 0) bits.write(0, 1);
  else if (fits(value, 14)) {
    bits.write(0b10, 2);
    bits.write(value, 14);
  } else if (fits(value, 17)) {
    bits.write(0b110, 3);
    bits.write(value, 17);
  } else if (fits(value, 20)) {
    bits.write(0b1110, 4);
    bits.write(value, 20);
  } else {
    bits.write(0b1111, 4);
    bits.int64(value);
  }
}
