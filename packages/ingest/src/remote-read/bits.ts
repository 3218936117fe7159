/** Bits one after the other, the highest of a byte first, as Prometheus's chunks have them. Source: tsdb/chunkenc/bstream.go. */
export class BitBuffer {
  #bytes = new Uint8Array(512);
  #bits = 0;

  get sizeBytes(): number {
    return (this.#bits + 7) >>> 3;
  }

  /** What was written; what is written then begins anew. */
  take(): Uint8Array {
    const written = this.#bytes.slice(0, this.sizeBytes);
    this.#bytes.fill(0, 0, this.sizeBytes);
    this.#bits = 0;
    return written;
  }

  /** The lowest `count` ≤ 32 bits of `value`, a whole number below 2^53 either way. */
  write(value: number, count: number): void {
    if (((this.#bits + count) >>> 3) + 1 > this.#bytes.length) this.#grow();
    for (let left = count; left > 0;) {
      const free = 8 - (this.#bits & 7);
      const taken = Math.min(free, left);
      const part = (value >>> (left - taken)) & ((1 << taken) - 1);
      const at = this.#bits >>> 3;
      this.#bytes[at] = (this.#bytes[at] ?? 0) | (part << (free - taken));
      this.#bits += taken;
      left -= taken;
    }
  }

  #grow(): void {
    const bytes = new Uint8Array(this.#bytes.length * 2);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  write64(low: number, high: number): void {
    this.write(high, 32);
    this.write(low, 32);
  }

  /** A whole number as 64 bits, two's complement. */
  int64(value: number): void {
    this.write64(value, Math.floor(value / 2 ** 32));
  }

  /** Go's binary.PutUvarint. */
  uvarint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.write((rest % 128) | 0x80, 8);
    this.write(rest, 8);
  }

  /** Go's binary.PutVarint. */
  varint(value: number): void {
    this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  /** Over two bytes that were written before: a header that counts what follows. */
  setUint16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value & 0xff;
  }
}

/** Whether a whole number fits into `bits` the way chunks count: one more upwards than downwards. */
export function fits(value: number, bits: number): boolean {
  const half = 2 ** (bits - 1);
  return value > -half && value <= half;
}

/** A column of doubles, each as its difference from the one before. Source: tsdb/chunkenc/xor.go, xorWrite. */
export class XorColumn {
  #low: number;
  #high: number;
  /** No window yet: wider than any. */
  #leading = 0xff;
  #trailing = 0;

  /** Begins with a value that is written whole. */
  constructor(out: BitBuffer, low: number, high: number) {
    out.write64(low, high);
    this.#low = low;
    this.#high = high;
  }

  write(out: BitBuffer, low: number, high: number): void {
    const lowDelta = (low ^ this.#low) >>> 0;
    const highDelta = (high ^ this.#high) >>> 0;
    this.#low = low;
    this.#high = high;
    if (lowDelta === 0 && highDelta === 0) return out.write(0, 1);
    const leading = Math.min(31, Math.clz32(highDelta));
    const trailing = lowDelta === 0 ? 32 + trailingZeros(highDelta) : trailingZeros(lowDelta);
    if (leading >= this.#leading && trailing >= this.#trailing) out.write(0b10, 2);
    else {
      this.#leading = leading;
      this.#trailing = trailing;
      out.write(0b11, 2);
      out.write(leading, 5);
      // 64 significant bits are written as 0.
      out.write((64 - leading - trailing) & 63, 6);
    }
    if (this.#trailing >= 32)
      out.write(highDelta >>> (this.#trailing - 32), 64 - this.#leading - this.#trailing);
    else {
      out.write(highDelta, 32 - this.#leading);
      out.write(lowDelta >>> this.#trailing, 32 - this.#trailing);
    }
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
