/**
 * The series texts of a target's last page, line after line, so that the next page is compared instead of parsed. A line is
 * kept as what differs from the line before it: members of a histogram share hundreds of bytes, which are compared within
 * the new page, where they are still in the processor's cache, and take no memory here.
 *
 *     line = before[0, shared) + literal + before[named, named + labels) + literal
 *
 * `named` is where the labels of the line before begin. Four numbers a line: shared, length of the first literal, labels,
 * length of the second.
 */
import { Fingerprint } from "../remote-write/fingerprint.ts";

const openBrace = 123;
const closeBrace = 125;
const space = 32;
const partsPerLine = 4;
/** Below it a loop is quicker than a call. */
const nativeBytesMin = 24;

type Parts = Uint16Array | Uint32Array;

export class PageText {
  readonly count: number;
  readonly #literals: Buffer;
  readonly #parts: Parts;
  /** Where `match` stands: the line due, its first literal, and the line before in the page being read. */
  #line = 0;
  #literalAt = 0;
  #beforeAt = 0;
  #named = 0;

  private constructor(count: number, literals: Buffer, parts: Parts) {
    this.count = count;
    this.#literals = literals;
    this.#parts = parts;
  }

  static readonly empty = new PageText(0, Buffer.alloc(0), new Uint16Array(0));

  /** Of the lines `bytes[begins[i], ends[i])`, i < count. */
  static of(bytes: Buffer, begins: Uint32Array, ends: Uint32Array, count: number): PageText {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const parts = new Uint32Array(partsPerLine * count);
    const pieces: Buffer[] = [];
    let longest = 0;
    let named = 0;
    for (let i = 0; i < count; i++) {
      const begin = begins[i] ?? 0;
      const size = (ends[i] ?? 0) - begin;
      const before = i === 0 ? 0 : (begins[i - 1] ?? 0);
      const beforeSize = i === 0 ? 0 : (ends[i - 1] ?? 0) - before;
      const shared = sharedBytes(view, before, beforeSize, begin, size);
      let name = shared;
      let labels = 0;
      if (i === 0 || shared < named) {
        const brace = bytes.subarray(begin, begin + size).indexOf(openBrace);
        name = Math.max(shared, brace < 0 ? size : brace + 1);
        labels = sharedBytes(view, before + named, beforeSize - named, begin + name, size - name);
      }
      const rest = name + labels;
      parts.set([shared, name - shared, labels, size - rest], partsPerLine * i);
      pieces.push(bytes.subarray(begin + shared, begin + name));
      pieces.push(bytes.subarray(begin + rest, begin + size));
      longest = Math.max(longest, size);
      named = Math.min(name > shared || labels > 0 ? name : named, size);
    }
    const narrow = longest <= 0xffff;
    // A buffer of its own: a piece of Node's pool would keep the pool.
    const literals = Buffer.from(Uint8Array.from(Buffer.concat(pieces)).buffer);
    return new PageText(count, literals, narrow ? Uint16Array.from(parts) : parts);
  }

  /** Begins a comparison at the first line. */
  restart(): void {
    this.#line = 0;
    this.#literalAt = 0;
    this.#beforeAt = 0;
    this.#named = 0;
  }

  /**
   * End of the series text at `at` of `bytes` when it equals the line that is due, else 0. Those before have all matched,
   * in their order, in these bytes.
   */
  match(bytes: Buffer, at: number): number {
    if (this.#line >= this.count) return 0;
    const parts = this.#parts;
    const part = partsPerLine * this.#line;
    const shared = parts[part] ?? 0;
    const first = parts[part + 1] ?? 0;
    const labels = parts[part + 2] ?? 0;
    const second = parts[part + 3] ?? 0;
    const end = at + shared + first + labels + second;
    if (end > bytes.length) return 0;
    if (!areSame(bytes, this.#beforeAt, bytes, at, shared)) return 0;
    let read = at + shared;
    if (!areSame(this.#literals, this.#literalAt, bytes, read, first)) return 0;
    read += first;
    if (!areSame(bytes, this.#beforeAt + this.#named, bytes, read, labels)) return 0;
    const secondAt = this.#literalAt + first;
    if (!areSame(this.#literals, secondAt, bytes, read + labels, second)) return 0;
    if (!endsSeries(bytes, end)) return 0;
    this.#line++;
    this.#literalAt = secondAt + second;
    this.#beforeAt = at;
    const named = first > 0 || labels > 0 ? shared + first : this.#named;
    this.#named = Math.min(named, end - at);
    return end;
  }

  /** The lines as they were. */
  lines(): PageLines {
    const starts = new Uint32Array(this.count + 1);
    let size = 0;
    for (let i = 0; i < this.count; i++) {
      for (let k = 0; k < partsPerLine; k++) size += this.#parts[partsPerLine * i + k] ?? 0;
      starts[i + 1] = size;
    }
    const text = Buffer.allocUnsafeSlow(size);
    let literal = 0;
    let named = 0;
    for (let i = 0; i < this.count; i++) {
      const [shared = 0, first = 0, labels = 0, second = 0] = this.#parts.subarray(
        partsPerLine * i,
        partsPerLine * (i + 1),
      );
      const before = i === 0 ? 0 : (starts[i - 1] ?? 0);
      let at = starts[i] ?? 0;
      text.copyWithin(at, before, before + shared);
      at += shared;
      text.set(this.#literals.subarray(literal, literal + first), at);
      at += first;
      text.copyWithin(at, before + named, before + named + labels);
      at += labels;
      text.set(this.#literals.subarray(literal + first, literal + first + second), at);
      literal += first + second;
      const length = shared + first + labels + second;
      named = Math.min(first > 0 || labels > 0 ? shared + first : named, length);
    }
    return new PageLines(text, starts);
  }
}

/** The last page's lines to look things up in, for a page in another order. */
export class PageLines {
  readonly #text: Buffer;
  readonly #starts: Uint32Array;
  readonly #fingerprint = new Fingerprint(0);
  /** Line plus one by hash, linear probing; made when something is looked up. */
  #table = new Uint32Array(0);

  constructor(text: Buffer, starts: Uint32Array) {
    this.#text = text;
    this.#starts = starts;
  }

  get #count(): number {
    return this.#starts.length - 1;
  }

  /** End of the series text at `at` when it equals a line, else 0. */
  matchLine(line: number, bytes: Buffer, at: number): number {
    if (line >= this.#count) return 0;
    const start = this.#starts[line] ?? 0;
    const size = (this.#starts[line + 1] ?? 0) - start;
    if (at + size > bytes.length || !areSame(this.#text, start, bytes, at, size)) return 0;
    return endsSeries(bytes, at + size) ? at + size : 0;
  }

  /** The line that is `view[start, end)`, -1 if none is. */
  find(bytes: Buffer, view: DataView, start: number, end: number): number {
    if (this.#count === 0) return -1;
    if (this.#table.length === 0) this.#index();
    const mask = this.#table.length - 1;
    for (let slot = this.#hash(view, start, end) & mask; ; slot = (slot + 1) & mask) {
      const line = (this.#table[slot] ?? 0) - 1;
      if (line < 0) return -1;
      const from = this.#starts[line] ?? 0;
      const size = (this.#starts[line + 1] ?? 0) - from;
      if (size === end - start && areSame(this.#text, from, bytes, start, size)) return line;
    }
  }

  #index(): void {
    const view = new DataView(this.#text.buffer, this.#text.byteOffset, this.#text.byteLength);
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(2 * this.#count + 1)));
    const mask = this.#table.length - 1;
    for (let line = 0; line < this.#count; line++) {
      let slot = this.#hash(view, this.#starts[line] ?? 0, this.#starts[line + 1] ?? 0) & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = line + 1;
    }
  }

  #hash(view: DataView, start: number, end: number): number {
    this.#fingerprint.ofBytes(view, start, end);
    return this.#fingerprint.words[0] ?? 0;
  }
}

/** A bare name may go on: `a` is not the series of `ab 1` or `a {b="c"} 1`. */
function endsSeries(bytes: Buffer, end: number): boolean {
  if (bytes[end - 1] === closeBrace) return true;
  return bytes[end] === space && bytes[end + 1] !== openBrace && bytes[end + 1] !== space;
}

function areSame(one: Buffer, oneAt: number, other: Buffer, otherAt: number, size: number) {
  if (size >= nativeBytesMin)
    return one.compare(other, otherAt, otherAt + size, oneAt, oneAt + size) === 0;
  for (let i = 0; i < size; i++) if (one[oneAt + i] !== other[otherAt + i]) return false;
  return true;
}

function sharedBytes(
  view: DataView,
  one: number,
  oneSize: number,
  other: number,
  otherSize: number,
): number {
  const size = Math.min(oneSize, otherSize);
  let i = 0;
  while (i + 4 <= size && view.getInt32(one + i) === view.getInt32(other + i)) i += 4;
  while (i < size && view.getUint8(one + i) === view.getUint8(other + i)) i++;
  return Math.max(0, i);
}
