/**
 * Reads protobuf's wire format field by field, without a schema compiler: a decoder asks for the next field and takes its
 * value by the type it expects. Source: protobuf.dev/programming-guides/encoding.
 */
import { IngestError } from "../errors.ts";

const utf8 = new TextDecoder("utf-8");

export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #what: string;
  #at: number;
  #field = 0;
  #wireType = 0;

  /** Reads `bytes[start, end)`; `what` names the message in errors. */
  constructor(bytes: Uint8Array, what: string, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.#at = start;
    this.#end = end;
  }

  #fail(reason: string): never {
    throw new IngestError("bad-protobuf", `byte ${this.#at}, in ${this.#what}: ${reason}`);
  }

  /** Moves to the next field and returns its number; 0 at the end. Its value must then be taken or skipped. */
  next(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.#varintNumber();
    this.#field = Math.floor(tag / 8);
    this.#wireType = tag % 8;
    if (this.#field === 0 || this.#field > 0x1fffffff) this.#fail("no valid field number");
    return this.#field;
  }

  skip(): void {
    if (this.#wireType === 0) this.#varint();
    else if (this.#wireType === 1) this.#advance(8);
    else if (this.#wireType === 2) this.#advance(this.#varintNumber());
    else if (this.#wireType === 5) this.#advance(4);
    else this.#fail(`field ${this.#field} has the unsupported wire type ${this.#wireType}`);
  }

  #advance(count: number): number {
    const start = this.#at;
    if (count > this.#end - start) this.#fail(`field ${this.#field} goes past the end`);
    this.#at += count;
    return start;
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType)
      this.#fail(`field ${this.#field} has wire type ${this.#wireType}, expected ${wireType}`);
  }

  /** Varints up to 2^53 exactly, as lengths and tags are; larger ones only as an error. */
  #varintNumber(): number {
    const value = this.#varint();
    if (value > 0xffffffffn) this.#fail("a length or tag does not fit in 32 bits");
    return Number(value);
  }

  #varint(): bigint {
    let low = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#end) this.#fail("the message ends within a number");
      const byte = this.#bytes[this.#at++] ?? 0;
      if (i < 7) {
        low += (byte & 0x7f) * factor;
        factor *= 128;
        if (byte < 0x80) return BigInt(low);
      } else return this.#longVarint(BigInt(low), byte, i);
    }
    return this.#fail("a number is longer than ten bytes");
  }

  #longVarint(low: bigint, first: number, index: number): bigint {
    let value = low;
    let byte = first;
    for (let i = index; i < 10; i++) {
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
      if (this.#at >= this.#end) this.#fail("the message ends within a number");
      byte = this.#bytes[this.#at++] ?? 0;
    }
    return this.#fail("a number is longer than ten bytes");
  }

  uint64(): bigint {
    this.#expect(0);
    return this.#varint();
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** An int32, uint32, enum or bool; cut to 32 bits as protobuf demands. */
  int32(): number {
    return Number(BigInt.asIntN(32, this.uint64()));
  }

  fixed64(): bigint {
    this.#expect(1);
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  fixed32(): number {
    this.#expect(5);
    return this.#view.getUint32(this.#advance(4), true);
  }

  double(): number {
    this.#expect(1);
    return this.#view.getFloat64(this.#advance(8), true);
  }

  /** Where the double's eight bytes lie, for columns that must keep a NaN's payload. */
  doubleBits(): { high: number; low: number } {
    this.#expect(1);
    const at = this.#advance(8);
    return { low: this.#view.getUint32(at, true), high: this.#view.getUint32(at + 4, true) };
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  /** Text; bytes that are not UTF-8 become U+FFFD. */
  text(): string {
    return utf8.decode(this.bytes());
  }

  message(what: string): ProtobufReader {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    return new ProtobufReader(this.#bytes, what, start, start + size);
  }
}
