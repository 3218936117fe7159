/**
 * Writes protobuf's wire format into one growing buffer. A nested message whose size is not known before it is written gets
 * a length of five bytes, zero bits on top: longer than need be and valid. Source: protobuf.dev/programming-guides/encoding.
 */
const encoder = new TextEncoder();
const paddedLengthBytes = 5;

export class ProtobufBuffer {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(sizeBytes = 64 * 1024) {
    this.#bytes = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** A view: valid until the next write. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** Whole numbers from 0 to 2^53. */
  #number(value: number): void {
    this.#reserve(10);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128))
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  #tag(field: number, wireType: number): void {
    this.#number(field * 8 + wireType);
  }

  /** An int64 within ±2^53; negative ones take ten bytes, as protobuf has them. */
  int(field: number, value: number): void {
    this.#tag(field, 0);
    if (value >= 0) return this.#number(value);
    this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#length++] = Number(rest);
  }

  /** A double as its two words, so that a NaN keeps its payload. */
  doubleBits(field: number, low: number, high: number): void {
    this.#tag(field, 1);
    this.#reserve(8);
    this.#view.setUint32(this.#length, low, true);
    this.#view.setUint32(this.#length + 4, high, true);
    this.#length += 8;
  }

  double(field: number, value: number): void {
    this.#tag(field, 1);
    this.packedDouble(value);
  }

  /** One of a packed field. */
  packedDouble(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** A sint32 or sint64 within ±2^52. */
  sint(field: number, value: number): void {
    this.#tag(field, 0);
    this.packedSint(value);
  }

  packedSint(value: number): void {
    this.#number(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  packedUint(value: number): void {
    this.#number(value);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, 2);
    this.#number(value.length);
    this.#raw(value);
  }

  /** Whole fields of the same message that were written elsewhere. */
  append(other: ProtobufBuffer): void {
    this.#raw(other.finish());
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(field: number, value: string): void {
    this.#tag(field, 2);
    const plain = isAscii(value);
    const bytes = plain ? undefined : encoder.encode(value);
    this.#number(bytes?.length ?? value.length);
    this.#reserve(bytes?.length ?? value.length);
    if (bytes) this.#bytes.set(bytes, this.#length);
    else for (let i = 0; i < value.length; i++) this.#bytes[this.#length + i] = value.charCodeAt(i);
    this.#length += bytes?.length ?? value.length;
  }

  /** Begins a nested message; `end` takes what this returns. */
  begin(field: number): number {
    this.#tag(field, 2);
    this.#reserve(paddedLengthBytes);
    this.#length += paddedLengthBytes;
    return this.#length;
  }

  end(start: number): void {
    let rest = this.#length - start;
    for (let i = 0; i < paddedLengthBytes - 1; i++) {
      this.#bytes[start - paddedLengthBytes + i] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[start - 1] = rest;
  }

  /** As `begin`, for a message below 128 bytes. */
  beginShort(field: number): number {
    this.#tag(field, 2);
    this.#reserve(1);
    return ++this.#length;
  }

  endShort(start: number): void {
    this.#bytes[start - 1] = this.#length - start;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}
