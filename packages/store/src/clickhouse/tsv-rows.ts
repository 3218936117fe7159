/**
 * Rows in ClickHouse's TabSeparated format, written as bytes into one growing buffer. Source: ClickHouse docs,
 * "TabSeparated": fields end with a tab, rows with a newline; backslash escapes; texts inside a Map stand in single quotes.
 */
const tab = 0x09;
const newline = 0x0a;
const backslash = 0x5c;
const quote = 0x27;
const hexDigit = /^[0-9a-f]*$/;

/** What a byte is escaped with, 0 for not at all. */
const escapes = new Uint8Array(128);
escapes[0] = 0x30; // \0
escapes[8] = 0x62; // \b
escapes[tab] = 0x74; // \t
escapes[newline] = 0x6e; // \n
escapes[12] = 0x66; // \f
escapes[13] = 0x72; // \r
escapes[backslash] = backslash;
escapes[quote] = quote;

export class TsvRows {
  #bytes: Buffer;
  #length = 0;
  #rowStart = 0;

  constructor(sizeBytes = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  get sizeBytes(): number {
    return this.#length;
  }

  /** The rows so far, a copy; begins anew. */
  take(): Buffer {
    const rows = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.clear();
    return rows;
  }

  /** Forgets the rows so far. */
  clear(): void {
    this.#length = 0;
    this.#rowStart = 0;
  }

  endRow(): void {
    // The last field's tab becomes the row's end.
    if (this.#length > this.#rowStart) this.#bytes[this.#length - 1] = newline;
    this.#rowStart = this.#length;
  }

  text(value: string): void {
    this.#escaped(value);
    this.#byte(tab);
  }

  /** Digits and words that need no escape. */
  plain(value: string): void {
    this.#room(value.length);
    this.#length += this.#bytes.write(value, this.#length, "latin1");
    this.#byte(tab);
  }

  /** A FixedString from hexadecimal digits: `sizeBytes` bytes, zeros when `digits` are not that many. */
  id(digits: string, sizeBytes: number): void {
    this.#room(sizeBytes * 2 + 1);
    const known = digits.length === sizeBytes * 2 && hexDigit.test(digits);
    for (let i = 0; i < sizeBytes; i++) {
      const byte = known ? Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16) : 0;
      const escape = byte < 128 ? (escapes[byte] ?? 0) : 0;
      if (escape !== 0) this.#bytes[this.#length++] = backslash;
      this.#bytes[this.#length++] = escape === 0 ? byte : escape;
    }
    this.#byte(tab);
  }

  /** A Map of texts, from pairs. */
  map(pairs: Iterable<readonly [string, string]>): void {
    this.#byte(0x7b);
    let first = true;
    for (const [key, value] of pairs) {
      if (!first) this.#byte(0x2c);
      first = false;
      this.#byte(quote);
      this.#escaped(key);
      this.#byte(quote);
      this.#byte(0x3a);
      this.#byte(quote);
      this.#escaped(value);
      this.#byte(quote);
    }
    this.#byte(0x7d);
    this.#byte(tab);
  }

  /** A String of any bytes. */
  bytes(value: Uint8Array, from = 0, to = value.length): void {
    this.#room(2 * (to - from) + 1);
    let length = this.#length;
    for (let i = from; i < to; i++) {
      const byte = value[i] ?? 0;
      const escape = byte < 128 ? (escapes[byte] ?? 0) : 0;
      if (escape === 0) this.#bytes[length++] = byte;
      else {
        this.#bytes[length++] = backslash;
        this.#bytes[length++] = escape;
      }
    }
    this.#length = length;
    this.#byte(tab);
  }

  /** The bytes of the field that `write` writes, without its tab, to be written again with `raw`. */
  captured(write: () => void): Buffer {
    const start = this.#length;
    write();
    return Buffer.from(this.#bytes.subarray(start, this.#length - 1));
  }

  raw(field: Buffer): void {
    this.#room(field.length);
    field.copy(this.#bytes, this.#length);
    this.#length += field.length;
    this.#byte(tab);
  }

  #escaped(value: string): void {
    this.#room(value.length * 3);
    const bytes = this.#bytes;
    let length = this.#length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 128) {
        const end = endOfWide(value, i);
        this.#length = length;
        this.#wide(value.slice(i, end));
        this.#escapedRest(value, end);
        return;
      }
      const escape = escapes[code];
      if (escape !== 0 && escape !== undefined) {
        bytes[length++] = backslash;
        bytes[length++] = escape;
      } else bytes[length++] = code;
    }
    this.#length = length;
  }

  #escapedRest(value: string, from: number): void {
    if (from < value.length) this.#escaped(value.slice(from));
  }

  #wide(value: string): void {
    this.#room(value.length * 3);
    this.#length += this.#bytes.write(value, this.#length, "utf8");
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = byte;
  }

  #room(sizeBytes: number): void {
    const wanted = this.#length + sizeBytes;
    if (wanted <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** The end of the run of characters above ASCII that begins at `start`. */
function endOfWide(value: string, start: number): number {
  let end = start + 1;
  while (end < value.length && value.charCodeAt(end) >= 128) end++;
  return end;
}
