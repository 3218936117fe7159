/**
 * The journal's metric frames (docs/format/metrics-frame.md). A frame stands for itself or for a declaration before it:
 * names are declared once per group and epoch, pages then speak of refs. Every checkpoint and every process begins a new
 * epoch, in which a group declares itself again before its first page; so a replay may begin at any checkpoint and cross
 * restarts, and a ref means what the last declaration of its group said.
 */
import { highWord, LabelSet, lowWord, SkoposError } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import { f64, markerHigh, staleLow, u32, wordsOf } from "./cells.ts";

export const metricFrameKind = frameKinds.metrics;
const type = { declare: 1, page: 2 } as const;
/** Series in one declaration; a larger group takes several. */
export const declaredSeriesMax = 5000;
const rawCode = 1;
const staleCode = 3;
/** Larger integers are written raw, so that twice the value is exact. */
const integerMax = 2 ** 51;

export interface Declaration {
  readonly type: "declare";
  readonly group: number;
  readonly key: string;
  readonly refs: readonly number[];
  readonly labels: readonly LabelSet[];
}

export interface Page {
  readonly type: "page";
  readonly group: number;
  readonly timeMs: number;
  /** Valid until the next frame is decoded. */
  readonly refs: Uint32Array;
  readonly values: Float64Array;
  readonly count: number;
}

/** Writes into one reused buffer; what `frame` returns is valid until the next frame. */
export class MetricFrameEncoder {
  #bytes = new Uint8Array(64 * 1024);
  #words = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  /** Bytes of the frame being written. */
  frame(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  declare(group: number, key: string, refs: ArrayLike<number>, labels: readonly LabelSet[]): void {
    this.#begin(type.declare, group);
    const strings = new Map<string, number>();
    const idOf = (text: string) => {
      const known = strings.get(text);
      if (known !== undefined) return known;
      strings.set(text, strings.size);
      return strings.size - 1;
    };
    const ids = labels.map((set) => set.flat.map(idOf));
    this.#text(key);
    this.varint(strings.size);
    for (const text of strings.keys()) this.#text(text);
    this.varint(labels.length);
    let previous: readonly number[] = [];
    let expected = 0;
    for (const [i, own] of ids.entries()) {
      const ref = refs[i] ?? 0;
      this.#signed(ref - expected);
      expected = ref + 1;
      this.#symbols(own, previous);
      previous = own;
    }
  }

  /** A label set as its difference from the one before: how many symbols it shares at the front and the back. */
  #symbols(own: readonly number[], previous: readonly number[]): void {
    let front = 0;
    while (front < own.length && front < previous.length && own[front] === previous[front]) front++;
    const shorter = Math.min(own.length, previous.length) - front;
    let back = 0;
    while (back < shorter && own.at(-1 - back) === previous.at(-1 - back)) back++;
    this.varint(front);
    this.varint(back);
    this.varint(own.length - front - back);
    for (let i = front; i < own.length - back; i++) this.varint(own[i] ?? 0);
  }

  page(
    group: number,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): void {
    this.#begin(type.page, group);
    this.#reserve(8);
    this.#words.setFloat64(this.#length, timeMs, true);
    this.#length += 8;
    this.varint(count);
    this.#runs(refs, count);
    this.#values(wordsOf(values), values, count);
  }

  /** Refs as runs of consecutive ones: distance from the end of the run before, length. */
  #runs(refs: Uint32Array, count: number): void {
    let expected = 0;
    for (let i = 0; i < count;) {
      const first = u32(refs, i);
      let length = 1;
      while (i + length < count && u32(refs, i + length) === first + length) length++;
      this.#signed(first - expected);
      this.varint(length);
      expected = first + length;
      i += length;
    }
  }

  #values(words: Uint32Array, values: Float64Array, count: number): void {
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
      this.#words.setUint32(this.#length + 1, low, true);
      this.#words.setUint32(this.#length + 5, high, true);
      this.#length += 9;
    }
  }

  #begin(operation: number, group: number): void {
    this.#length = 0;
    this.#bytes[this.#length++] = operation;
    this.varint(group);
  }

  #text(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #signed(value: number): void {
    this.varint(value >= 0 ? 2 * value : -2 * value - 1);
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

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#words = new DataView(grown.buffer);
  }
}

/** Reads frames. Throws `bad-frame` on bytes that no encoder wrote. */
export class MetricFrameDecoder {
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #refs = new Uint32Array(1024);
  #values = new Float64Array(1024);

  decode(bytes: Uint8Array): Declaration | Page {
    this.#bytes = bytes;
    this.#at = 1;
    const group = this.#varint();
    if (bytes[0] === type.declare) return this.#declaration(group);
    if (bytes[0] === type.page) return this.#page(group);
    throw badFrame(`unknown type ${String(bytes[0])}`);
  }

  #declaration(group: number): Declaration {
    const key = this.#text();
    const strings: string[] = [];
    for (let left = this.#count(); left > 0; left--) strings.push(this.#text());
    const refs: number[] = [];
    const labels: LabelSet[] = [];
    let previous: number[] = [];
    let expected = 0;
    for (let left = this.#count(); left > 0; left--) {
      const ref = expected + this.#signed();
      expected = ref + 1;
      previous = this.#symbols(previous);
      refs.push(ref);
      labels.push(LabelSet.fromSorted(previous.map((id) => strings[id] ?? "")));
    }
    return { type: "declare", group, key, refs, labels };
  }

  #symbols(previous: readonly number[]): number[] {
    const front = this.#varint();
    const back = this.#varint();
    const own = previous.slice(0, front);
    for (let left = this.#count(); left > 0; left--) own.push(this.#varint());
    if (back > 0) own.push(...previous.slice(-back));
    return own;
  }

  #page(group: number): Page {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    if (this.#at + 8 > view.byteLength) throw badFrame("a page without a time");
    const timeMs = view.getFloat64(this.#at, true);
    this.#at += 8;
    const count = this.#count();
    if (count > this.#refs.length) {
      this.#refs = new Uint32Array(count);
      this.#values = new Float64Array(count);
    }
    let expected = 0;
    for (let i = 0; i < count;) {
      const first = expected + this.#signed();
      const length = this.#varint();
      if (length === 0 || i + length > count) throw badFrame("a run that does not fit");
      for (let k = 0; k < length; k++) this.#refs[i++] = first + k;
      expected = first + length;
    }
    this.#readValues(view, count);
    return { type: "page", group, timeMs, refs: this.#refs, values: this.#values, count };
  }

  #readValues(view: DataView, count: number): void {
    const words = wordsOf(this.#values);
    for (let i = 0; i < count; i++) {
      const code = this.#varint();
      if (code % 2 === 0) this.#values[i] = code / 2;
      else if (code === staleCode) {
        words[2 * i + highWord] = markerHigh;
        words[2 * i + lowWord] = staleLow;
      } else if (code === rawCode && this.#at + 8 <= view.byteLength) {
        words[2 * i + lowWord] = view.getUint32(this.#at, true);
        words[2 * i + highWord] = view.getUint32(this.#at + 4, true);
        this.#at += 8;
      } else throw badFrame("a value that is none");
    }
  }

  /** A number of things that take at least a byte each. */
  #count(): number {
    const count = this.#varint();
    // A run of consecutive refs takes less than a byte each, but their values do not.
    if (count > this.#bytes.length) throw badFrame(`a count of ${count}`);
    return count;
  }

  #text(): string {
    const length = this.#varint();
    if (this.#at + length > this.#bytes.length) throw badFrame("a string beyond the end");
    const text = this.#decoder.decode(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return text;
  }

  #signed(): number {
    const coded = this.#varint();
    return coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
  }

  #varint(): number {
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
}

function badFrame(what: string): SkoposError {
  return new SkoposError("bad-frame", `metric frame: ${what}; was it written by a newer release?`);
}
