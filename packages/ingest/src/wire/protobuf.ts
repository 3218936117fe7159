/**
 * Reads protobuf's wire format field by field, without a schema compiler: a decoder asks for the next field and takes its
 * value by the type it expects. Source: protobuf.dev/programming-guides/encoding.
 */
import { IngestError } from "../errors.ts";

const recentSlots = 4096;
const recentBytesMax = 128;

/**
 * Texts that were read lately, by a hash of their bytes: the same few come with every span and line, and finding one is
 * cheaper than decoding it, and leaves nothing to be collected. A slot holds one text, ASCII only, whose characters are
 * its bytes; a longer one is not kept.
 */
class RecentTexts {
  readonly #texts: string[] = Array.from({ length: recentSlots }, () => "");

  of(bytes: Buffer, start: number, end: number): string {
    const size = end - start;
    if (size > recentBytesMax) return bytes.toString("utf8", start, end);
    let hash = 0x811c9dc5;
    let all = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      all |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    if (all >= 0x80) return bytes.toString("utf8", start, end);
    const slot = (hash ^ (hash >>> 15)) & (recentSlots - 1);
    const known = this.#texts[slot] ?? "";
    if (known.length === size) {
      let i = 0;
      while (i < size && known.charCodeAt(i) === bytes[start + i]) i++;
      if (i === size) return known;
    }
    const text = bytes.toString("latin1", start, end);
    this.#texts[slot] = text;
    return text;
  }
}

/** Apart, so that values, of which many come once, do not push names out. */
const recentNames = new RecentTexts();
const recentValues = new RecentTexts();

/** Shorter texts are put together faster than decoded, when they are ASCII. */
const shortTextBytes = 24;

export class ProtobufReader {
  readonly #bytes: Buffer;
  readonly #start: number;
  #end: number;
  readonly #what: string;
  #at: number;
  #field = 0;
  #wireType = 0;
  /** Of the same bytes; made when it is needed. */
  #view: DataView | undefined;

  /** Reads `bytes[start, end)`; `what` names the message in errors. */
  constructor(bytes: Uint8Array, what: string, start = 0, end = bytes.length) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.#start = start;
    this.#at = start;
    this.#end = end;
  }

  /** Back to the first field, for messages whose later fields are needed first. */
  rewind(): this {
    this.#at = this.#start;
    return this;
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

  /** Whether the field holds bytes: where numbers repeat, several in one. */
  get packed(): boolean {
    return this.#wireType === 2;
  }

  /** Every varint of a packed field. */
  packedInts(): number[] {
    const packed = this.message("a packed field");
    const values: number[] = [];
    while (packed.#at < packed.#end) values.push(packed.#varintNumber());
    return values;
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
    let value = 0;
    let factor = 1;
    for (let at = this.#at; at < this.#end && factor <= 0x200000; factor *= 128) {
      const byte = this.#bytes[at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.#at = at;
        return value;
      }
    }
    const long = this.#varint();
    if (long > 0xffffffffn) this.#fail("a length or tag does not fit in 32 bits");
    return Number(long);
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
    this.#expect(0);
    const byte = this.#at < this.#end ? (this.#bytes[this.#at] ?? 0) : 0x80;
    if (byte < 0x80) {
      this.#at++;
      return byte;
    }
    return Number(BigInt.asIntN(32, this.#varint()));
  }

  /** An int64 as a double, exact up to 2^53; as times are, without a detour through bigint. */
  int64AsNumber(): number {
    this.#expect(0);
    let value = 0;
    let factor = 1;
    for (let at = this.#at, i = 0; at < this.#end && i < 7; i++, factor *= 128) {
      const byte = this.#bytes[at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.#at = at;
        return value;
      }
    }
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  /** A sint32 or sint64, zigzag-encoded. */
  sint64(): bigint {
    const value = this.uint64();
    return (value >> 1n) ^ -(value & 1n);
  }

  /**
   * One element of a repeated number field, or all of them when they are packed, appended to `into`, which takes at most
   * `lengthMax`. `wireType` is that of a single element, `take` reads one.
   */
  numbers(
    into: number[],
    lengthMax: number,
    wireType: 0 | 1,
    take: (reader: ProtobufReader) => number,
  ): void {
    if (this.#wireType !== 2) {
      if (into.length >= lengthMax) this.#fail(`more than ${lengthMax} numbers`);
      into.push(take(this));
      return;
    }
    const packed = this.message(this.#what);
    packed.#field = this.#field;
    packed.#wireType = wireType;
    while (packed.#at < packed.#end) {
      if (into.length >= lengthMax) this.#fail(`more than ${lengthMax} numbers`);
      into.push(take(packed));
    }
  }

  fixed64(): bigint {
    this.#expect(1);
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  fixed32(): number {
    this.#expect(5);
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  double(): number {
    this.#expect(1);
    return this.#bytes.readDoubleLE(this.#advance(8));
  }

  /** Where the double's eight bytes lie, for columns that must keep a NaN's payload. */
  doubleBits(): { high: number; low: number } {
    this.#expect(1);
    const at = this.#advance(8);
    return { low: this.#bytes.readUInt32LE(at), high: this.#bytes.readUInt32LE(at + 4) };
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
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    const end = start + size;
    if (size <= shortTextBytes) {
      let text = "";
      for (let at = start; at < end; at++) {
        const byte = this.#bytes[at] ?? 0;
        if (byte >= 0x80) return this.#bytes.toString("utf8", start, end);
        text += String.fromCharCode(byte);
      }
      return text;
    }
    return this.#bytes.toString("utf8", start, end);
  }

  /** As `text`, for the names of things: they are few and come again and again. */
  name(): string {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    return recentNames.of(this.#bytes, start, start + size);
  }

  /** As `text`, for values of which most come again soon. */
  repeatedText(): string {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    return recentValues.of(this.#bytes, start, start + size);
  }

  /** Bytes as lower-case hexadecimal digits, as ids are written. */
  hex(): string {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    return this.#bytes.toString("hex", start, start + size);
  }

  /**
   * Goes into a message with this same reader, which is cheaper than `message` where there are many small ones: read its
   * fields to the end, then `leave` with what this returned.
   */
  enter(): number {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    const outerEnd = this.#end;
    this.#at = start;
    this.#end = start + size;
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.#at = this.#end;
    this.#end = outerEnd;
  }

  /** Moves past a field of bytes and returns where they start; they end at `position`. */
  span(): number {
    this.#expect(2);
    return this.#advance(this.#varintNumber());
  }

  get position(): number {
    return this.#at;
  }

  /** The bytes [start, end) as a message. */
  within(what: string, start: number, end: number): ProtobufReader {
    return new ProtobufReader(this.#bytes, what, start, end);
  }

  /** The bytes [start, end) as text. */
  textWithin(start: number, end: number): string {
    return this.#bytes.toString("utf8", start, end);
  }

  message(what: string): ProtobufReader {
    this.#expect(2);
    const size = this.#varintNumber();
    const start = this.#advance(size);
    return new ProtobufReader(this.#bytes, what, start, start + size);
  }
}
