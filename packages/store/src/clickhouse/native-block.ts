/**
 * Rows as a block of ClickHouse's Native format, column by column: it is read several times as fast as any text. A block
 * is the number of columns and rows, then for each column its name, its type and its values. Source: ClickHouse docs,
 * "Native format"; for LowCardinality and Map also src/DataTypes/Serializations of ClickHouse.
 *
 * A column keeps what it was given as the bytes that will be written. Blocks follow one another: several together are rows
 * in the same order.
 */
const wordBytes = 8;
/** Up to here a loop is faster than a call for encoding, and a length is one byte. */
const loopCharsMax = 64;
/** LowCardinality: the only version of the dictionary's format there is. */
const dictionaryVersion = 1n;
/** LowCardinality: the dictionary stands in front of the rows that it is of. */
const ownKeys = 0x200n;

/** Bytes that grow. */
class ByteList {
  #bytes: Buffer;
  length = 0;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  /** Those written so far, for reading; void once more are written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  /** A String: the number of its bytes, and they as UTF-8. */
  text(value: string): void {
    const { length } = value;
    // UTF-16 becomes at most three bytes a unit; a length at most five.
    const bytes = this.#room(length * 3 + 5);
    const at = this.length;
    if (length <= loopCharsMax) {
      let i = 0;
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code >= 0x80) break;
        bytes[at + 1 + i] = code;
      }
      if (i === length) {
        bytes[at] = length;
        this.length = at + 1 + length;
        return;
      }
    }
    const head = varintBytes(length);
    const size = bytes.write(value, at + head, "utf8");
    const wanted = varintBytes(size);
    if (wanted !== head) bytes.copyWithin(at + wanted, at + head, at + head + size);
    writeVarint(bytes, at, size);
    this.length = at + wanted + size;
  }

  /** Hexadecimal digits as bytes; zeros when they are not `sizeBytes` of them. */
  hex(digits: string, sizeBytes: number): void {
    const bytes = this.#room(sizeBytes);
    const start = this.length;
    const end = start + sizeBytes;
    this.length = end;
    let at = start;
    for (let from = 0; digits.length === sizeBytes * 2 && at < end; from += 2) {
      const high = digitOf(digits.charCodeAt(from));
      const low = digitOf(digits.charCodeAt(from + 1));
      if (high < 0 || low < 0) break;
      bytes[at++] = high * 16 + low;
    }
    if (at < end) bytes.fill(0, start, end);
  }

  int64(value: bigint): void {
    this.length = this.#room(wordBytes).writeBigInt64LE(value, this.length);
  }

  /** A whole number from 0 to 2^53. */
  uint64(value: number): void {
    const bytes = this.#room(wordBytes);
    bytes.writeUInt32LE(value >>> 0, this.length);
    this.length = bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.length + 4);
  }

  byte(value: number): void {
    this.#room(1)[this.length++] = value;
  }

  /** The bytes [start, end) of its own once more. */
  again(start: number, end: number): void {
    this.#room(end - start).copyWithin(this.length, start, end);
    this.length += end - start;
  }

  #room(sizeBytes: number): Buffer {
    const wanted = this.length + sizeBytes;
    if (wanted > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.length);
      this.#bytes = grown;
    }
    return this.#bytes;
  }
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return at;
}

/** A column's values. Each row is given exactly one. */
abstract class Values {
  abstract readonly sizeBytes: number;
  /** Writes what stands before the values, whatever their number. */
  writePrefix(_bytes: Buffer, at: number): number {
    return at;
  }
  /** Writes at `at` and returns where it ends, at most `sizeBytes` further. */
  abstract write(bytes: Buffer, at: number): number;
  abstract clear(): void;
}

/** String, FixedString, Int64, UInt64 and Enum8: one value after another. */
export class PlainColumn extends Values {
  readonly #values = new ByteList(4096);

  get sizeBytes(): number {
    return this.#values.length;
  }

  text(value: string): void {
    this.#values.text(value);
  }

  /** See `ByteList.hex`. */
  hex(digits: string, sizeBytes: number): void {
    this.#values.hex(digits, sizeBytes);
  }

  int64(value: bigint): void {
    this.#values.int64(value);
  }

  uint64(value: number): void {
    this.#values.uint64(value);
  }

  enum8(value: number): void {
    this.#values.byte(value);
  }

  write(bytes: Buffer, at: number): number {
    return at + this.#values.written.copy(bytes, at);
  }

  clear(): void {
    this.#values.length = 0;
  }
}

/** LowCardinality(String): every different text once, and for each row which of them it is. */
export class DictionaryColumn extends Values {
  readonly #keys = new ByteList(1024);
  readonly #places = new Map<string, number>();
  #rows = new Uint32Array(1024);
  #count = 0;

  get sizeBytes(): number {
    return 4 * wordBytes + this.#keys.length + this.#count * this.#width;
  }

  get count(): number {
    return this.#count;
  }

  text(value: string): void {
    let place = this.#places.get(value);
    if (place === undefined) {
      place = this.#places.size;
      this.#places.set(value, place);
      this.#keys.text(value);
    }
    if (this.#count === this.#rows.length) this.#grow(this.#count + 1);
    this.#rows[this.#count++] = place;
  }

  /** The rows [start, end) of its own once more. */
  again(start: number, end: number): void {
    const count = this.#count + end - start;
    if (count > this.#rows.length) this.#grow(count);
    this.#rows.copyWithin(this.#count, start, end);
    this.#count = count;
  }

  override writePrefix(bytes: Buffer, at: number): number {
    return bytes.writeBigUInt64LE(dictionaryVersion, at);
  }

  write(bytes: Buffer, start: number): number {
    if (this.#count === 0) return start;
    const width = this.#width;
    let at = bytes.writeBigUInt64LE(ownKeys | BigInt(width >> 1), start);
    at = bytes.writeBigUInt64LE(BigInt(this.#places.size), at);
    at += this.#keys.written.copy(bytes, at);
    at = bytes.writeBigUInt64LE(BigInt(this.#count), at);
    const rows = this.#rows;
    for (let i = 0; i < this.#count; i++) {
      const place = rows[i] ?? 0;
      bytes[at++] = place;
      if (width > 1) bytes[at++] = place >>> 8;
      if (width < 4) continue;
      bytes[at++] = place >>> 16;
      bytes[at++] = place >>> 24;
    }
    return at;
  }

  clear(): void {
    this.#keys.length = 0;
    this.#places.clear();
    this.#count = 0;
  }

  /** Bytes of a row: 1, 2 or 4. */
  get #width(): number {
    const different = this.#places.size;
    return different <= 0x100 ? 1 : different <= 0x10000 ? 2 : 4;
  }

  #grow(count: number): void {
    const grown = new Uint32Array(Math.max(count, this.#rows.length * 2));
    grown.set(this.#rows);
    this.#rows = grown;
  }
}

/** Map(LowCardinality(String), String). `put` each pair of a row, then `endRow`; or `again`. */
export class MapColumn extends Values {
  readonly #ends = new ByteList(4096);
  readonly #keys = new DictionaryColumn();
  readonly #values = new ByteList(64 * 1024);
  /** Of the last row. */
  #firstKey = 0;
  #firstByte = 0;
  #nextKey = 0;
  #nextByte = 0;

  get sizeBytes(): number {
    return this.#ends.length + this.#keys.sizeBytes + this.#values.length;
  }

  put(key: string, value: string): void {
    this.#keys.text(key);
    this.#values.text(value);
  }

  /** As `put` of each pair, in the record's order, and `endRow`. */
  row(pairs: Readonly<Record<string, string>>): void {
    for (const key in pairs) {
      const value = pairs[key];
      if (value !== undefined) this.put(key, value);
    }
    this.endRow();
  }

  endRow(): void {
    this.#firstKey = this.#nextKey;
    this.#firstByte = this.#nextByte;
    this.#nextKey = this.#keys.count;
    this.#nextByte = this.#values.length;
    this.#ends.uint64(this.#nextKey);
  }

  /** A row like the last one, which must be of this block. */
  again(): void {
    this.#keys.again(this.#firstKey, this.#nextKey);
    this.#values.again(this.#firstByte, this.#nextByte);
    this.endRow();
  }

  override writePrefix(bytes: Buffer, at: number): number {
    return this.#keys.writePrefix(bytes, at);
  }

  write(bytes: Buffer, start: number): number {
    const at = this.#keys.write(bytes, start + this.#ends.written.copy(bytes, start));
    return at + this.#values.written.copy(bytes, at);
  }

  clear(): void {
    this.#ends.length = 0;
    this.#keys.clear();
    this.#values.length = 0;
    this.#firstKey = this.#firstByte = this.#nextKey = this.#nextByte = 0;
  }
}

interface NativeColumn {
  readonly name: string;
  readonly type: string;
  readonly values: Values;
}

/** Columns that are filled together: give every column its value, then `endRow`. */
export class NativeBlock {
  readonly #columns: readonly NativeColumn[];
  readonly #headBytes: number;
  #rows = 0;

  constructor(columns: readonly NativeColumn[]) {
    this.#columns = columns;
    const texts = columns.flatMap(({ name, type }) => [name, type]);
    this.#headBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 5, 10);
  }

  get rows(): number {
    return this.#rows;
  }

  /** At most so long is the block as it is now. */
  get sizeBytes(): number {
    let size = this.#headBytes;
    for (const { values } of this.#columns) size += values.sizeBytes;
    return size;
  }

  endRow(): void {
    this.#rows++;
  }

  /** The block, in memory of its own; begins anew. Of no rows it must not be asked. */
  take(): Buffer {
    // Dictionaries inside maps have their version in front of the map.
    const bytes = Buffer.allocUnsafeSlow(this.sizeBytes + this.#columns.length * wordBytes);
    let at = writeVarint(bytes, 0, this.#columns.length);
    at = writeVarint(bytes, at, this.#rows);
    for (const { name, type, values } of this.#columns) {
      at = writeText(bytes, at, name);
      at = writeText(bytes, at, type);
      at = values.write(bytes, values.writePrefix(bytes, at));
    }
    this.clear();
    return trimmed(bytes, at);
  }

  /** Forgets the rows so far, a half-written one too. */
  clear(): void {
    for (const { values } of this.#columns) values.clear();
    this.#rows = 0;
  }
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const start = writeVarint(bytes, at, Buffer.byteLength(text));
  return start + bytes.write(text, start, "utf8");
}

/** Of its own, not a view: it may be handed to another thread. */
function trimmed(bytes: Buffer, length: number): Buffer {
  if (bytes.length === length) return bytes;
  const whole = Buffer.allocUnsafeSlow(length);
  bytes.copy(whole, 0, 0, length);
  return whole;
}
