/**
 * The journal's metric frames (docs/format/metrics-frame.md). A frame stands for itself or for a declaration before it:
 * names are declared once per group and epoch, pages then speak of refs. Every checkpoint and every process begins a new
 * epoch, in which a group declares itself again before its first page; so a replay may begin at any checkpoint and cross
 * restarts, and a ref means what the last declaration of its group said.
 */
import { type Exemplar, LabelSet, type NativeHistogram } from "@skopos/model";
import { frameKinds } from "../journal/frame.ts";
import { u32 } from "./cells.ts";
import { badFrame, FrameReader, FrameWriter } from "./frame-bytes.ts";
import { readHistogram, writeHistogram } from "./histogram-codec.ts";

export const metricFrameKind = frameKinds.metrics;
const type = { declare: 1, page: 2, histogram: 3, exemplar: 4 } as const;
/** Series in one declaration; a larger group takes several. */
export const declaredSeriesMax = 5000;

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

interface HistogramFrame {
  readonly type: "histogram";
  readonly group: number;
  readonly ref: number;
  readonly timeMs: number;
  readonly histogram: NativeHistogram;
}

interface ExemplarFrame {
  readonly type: "exemplar";
  readonly group: number;
  readonly ref: number;
  readonly exemplar: Exemplar;
}

export type MetricFrame = Declaration | Page | HistogramFrame | ExemplarFrame;

/** Writes into one reused buffer; what `frame` returns is valid until the next frame. */
export class MetricFrameEncoder {
  readonly #writer = new FrameWriter();

  /** Bytes of the frame being written. */
  frame(): Uint8Array {
    return this.#writer.written();
  }

  declare(group: number, key: string, refs: ArrayLike<number>, labels: readonly LabelSet[]): void {
    const writer = this.#begin(type.declare, group);
    const strings = new Map<string, number>();
    const idOf = (text: string) => {
      const known = strings.get(text);
      if (known !== undefined) return known;
      strings.set(text, strings.size);
      return strings.size - 1;
    };
    const ids = labels.map((set) => set.flat.map(idOf));
    writer.text(key);
    writer.varint(strings.size);
    for (const text of strings.keys()) writer.text(text);
    writer.varint(labels.length);
    let previous: readonly number[] = [];
    let expected = 0;
    for (const [i, own] of ids.entries()) {
      const ref = refs[i] ?? 0;
      writer.signed(ref - expected);
      expected = ref + 1;
      this.#symbols(own, previous);
      previous = own;
    }
  }

  /** A label set as its difference from the one before: how many symbols it shares at the front and the back. */
  #symbols(own: readonly number[], previous: readonly number[]): void {
    const writer = this.#writer;
    let front = 0;
    while (front < own.length && front < previous.length && own[front] === previous[front]) front++;
    const shorter = Math.min(own.length, previous.length) - front;
    let back = 0;
    while (back < shorter && own.at(-1 - back) === previous.at(-1 - back)) back++;
    writer.varint(front);
    writer.varint(back);
    writer.varint(own.length - front - back);
    for (let i = front; i < own.length - back; i++) writer.varint(own[i] ?? 0);
  }

  page(
    group: number,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): void {
    const writer = this.#begin(type.page, group);
    writer.double(timeMs);
    writer.varint(count);
    this.#runs(refs, count);
    writer.values(values, count);
  }

  histogram(group: number, ref: number, timeMs: number, histogram: NativeHistogram): void {
    const writer = this.#begin(type.histogram, group);
    writer.varint(ref);
    writer.double(timeMs);
    writeHistogram(writer, histogram);
  }

  exemplar(group: number, ref: number, exemplar: Exemplar): void {
    const writer = this.#begin(type.exemplar, group);
    writer.varint(ref);
    writer.double(exemplar.timeMs);
    writer.values(Float64Array.of(exemplar.value), 1);
    const { flat } = LabelSet.fromMap(exemplar.labels);
    writer.varint(flat.length);
    for (const text of flat) writer.text(text);
  }

  /** Refs as runs of consecutive ones: distance from the end of the run before, length. */
  #runs(refs: Uint32Array, count: number): void {
    let expected = 0;
    for (let i = 0; i < count;) {
      const first = u32(refs, i);
      let length = 1;
      while (i + length < count && u32(refs, i + length) === first + length) length++;
      this.#writer.signed(first - expected);
      this.#writer.varint(length);
      expected = first + length;
      i += length;
    }
  }

  #begin(operation: number, group: number): FrameWriter {
    this.#writer.clear();
    this.#writer.byte(operation);
    this.#writer.varint(group);
    return this.#writer;
  }
}

/** Reads frames. Throws `bad-frame` on bytes that no encoder wrote. */
export class MetricFrameDecoder {
  readonly #reader = new FrameReader();
  #refs = new Uint32Array(1024);
  #values = new Float64Array(1024);

  decode(bytes: Uint8Array): MetricFrame {
    const reader = this.#reader;
    reader.open(bytes);
    const operation = reader.byte();
    const group = reader.varint();
    if (operation === type.declare) return this.#declaration(group);
    if (operation === type.page) return this.#page(group);
    if (operation === type.histogram) {
      const ref = reader.varint();
      const timeMs = reader.double();
      return { type: "histogram", group, ref, timeMs, histogram: readHistogram(reader) };
    }
    if (operation === type.exemplar)
      return { type: "exemplar", group, ref: reader.varint(), exemplar: this.#exemplar() };
    throw badFrame(`unknown type ${operation}`);
  }

  #declaration(group: number): Declaration {
    const reader = this.#reader;
    const key = reader.text();
    const strings: string[] = [];
    for (let left = reader.count(); left > 0; left--) strings.push(reader.text());
    const refs: number[] = [];
    const labels: LabelSet[] = [];
    let flat: readonly string[] = [];
    let expected = 0;
    for (let left = reader.count(); left > 0; left--) {
      const ref = expected + reader.signed();
      expected = ref + 1;
      flat = this.#labels(strings, flat);
      refs.push(ref);
      labels.push(LabelSet.fromSorted(flat));
    }
    return { type: "declare", group, key, refs, labels };
  }

  #labels(strings: readonly string[], previous: readonly string[]): string[] {
    const reader = this.#reader;
    const front = reader.varint();
    const back = reader.varint();
    const own = previous.slice(0, front);
    for (let left = reader.count(); left > 0; left--) own.push(strings[reader.varint()] ?? "");
    for (let i = Math.max(0, previous.length - back); i < previous.length; i++)
      own.push(previous[i] ?? "");
    return own;
  }

  #page(group: number): Page {
    const reader = this.#reader;
    const timeMs = reader.double();
    const count = reader.count();
    if (count > this.#refs.length) {
      this.#refs = new Uint32Array(count);
      this.#values = new Float64Array(count);
    }
    let expected = 0;
    for (let i = 0; i < count;) {
      const first = expected + reader.signed();
      const length = reader.varint();
      if (length === 0 || i + length > count) throw badFrame("a run that does not fit");
      for (let k = 0; k < length; k++) this.#refs[i++] = first + k;
      expected = first + length;
    }
    reader.values(this.#values, count);
    return { type: "page", group, timeMs, refs: this.#refs, values: this.#values, count };
  }

  #exemplar(): Exemplar {
    const reader = this.#reader;
    const timeMs = reader.double();
    const value = new Float64Array(1);
    reader.values(value, 1);
    const flat: string[] = [];
    for (let left = reader.count(); left > 0; left--) flat.push(reader.text());
    return { timeMs, value: value[0] ?? 0, labels: LabelSet.fromSorted(flat).toMap() };
  }
}
