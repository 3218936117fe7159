/**
 * Takes series that were written before, without decoding their labels: their bytes (1.0) or the symbols that they refer to
 * (2.0) are fingerprinted, and their samples go to the batch with the series' ref. Anything but plain samples in the
 * order and with the field types that senders write is left to the readers of whole messages, which know every case.
 */
import type { SeriesRef } from "@skopos/model";
import type { MetricBatchBuilder } from "../metric-batch/batch.ts";
import { Fingerprint } from "./fingerprint.ts";
import { KnownSeries } from "./known-series.ts";

/** References of one series that are followed here; a series with more is read the long way. */
const referencesMax = 256;
const nameLabelBytes = Buffer.from("__name__");
/** So that a series of 1.0 and one of 2.0 never share a fingerprint by their construction. */
const symbolsSeed = 0x5bd1e995;

/** Field number and wire type, as the byte that begins a field. */
const tag = { message1: 0x0a, message2: 0x12, message5: 0x2a, double1: 0x09, varint2: 0x10 };
const startTimeTags = { ofSample: 0x18, ofSeries: 0x30 };

export class SeriesShortcut {
  readonly #known: KnownSeries;
  readonly #ofLabels: Fingerprint;
  readonly #ofSymbols: Fingerprint;
  #bytes: Uint8Array = new Uint8Array();
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** The fingerprint of the series that was not known, until the batch has it. */
  #missed: Int32Array | undefined;
  /** Fingerprints of new series, four words each, and which series of the batch they are. */
  readonly #newWords: number[] = [];
  readonly #newSeries: number[] = [];
  /** Of each symbol: its fingerprint, and the metadata (kind, help, unit) that was read with it as metric name. */
  #symbolWords = new Int32Array(0);
  #noted = new Int32Array(0);
  #symbolCount = 0;
  #nameSymbol = -1;
  readonly #references = new Int32Array(referencesMax);
  readonly #metadata = { start: 0, end: 0, name: -1 };

  /** `seed` keeps anybody from knowing which labels share a fingerprint. */
  constructor(seed: number, known = new KnownSeries()) {
    this.#known = known;
    this.#ofLabels = new Fingerprint(seed);
    this.#ofSymbols = new Fingerprint(seed ^ symbolsSeed);
  }

  /** Begins a request. Its bytes must stay as they are until it has been read. */
  open(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#newWords.length = 0;
    this.#newSeries.length = 0;
    this.#missed = undefined;
    this.#symbolCount = 0;
  }

  /** The request's symbols: symbol i is the bytes [bounds[2i], bounds[2i + 1]). */
  openSymbols(bounds: readonly number[]): void {
    const count = bounds.length / 2;
    this.#symbolCount = count;
    this.#nameSymbol = -1;
    if (this.#symbolWords.length < 4 * count) {
      this.#symbolWords = new Int32Array(8 * count);
      this.#noted = new Int32Array(6 * count);
    }
    this.#noted.fill(-1);
    for (let i = 0; i < count; i++) {
      const start = bounds[2 * i] ?? 0;
      const end = bounds[2 * i + 1] ?? 0;
      this.#ofSymbols.ofBytes(this.#view, start, end);
      this.#symbolWords.set(this.#ofSymbols.words, 4 * i);
      const couldBe = end - start === nameLabelBytes.length;
      if (couldBe && nameLabelBytes.equals(this.#bytes.subarray(start, end))) this.#nameSymbol = i;
    }
  }

  /** A `TimeSeries` of 1.0 in [start, end). False when it must be read the long way; then nothing was taken. */
  take(start: number, end: number, into: MetricBatchBuilder): boolean {
    this.#missed = undefined;
    this.#at = start;
    while (this.#at < end && this.#bytes[this.#at] === tag.message1) {
      this.#at++;
      const size = this.#size();
      if (size < 0) return false;
      this.#at += size;
    }
    const labelsEnd = this.#at;
    if (labelsEnd > end || labelsEnd === start) return false;
    this.#ofLabels.ofBytes(this.#view, start, labelsEnd);
    return this.#takeKnown(this.#ofLabels.words, end, into);
  }

  /** As `take`, of 2.0. */
  takeSymbols(start: number, end: number, into: MetricBatchBuilder): boolean {
    this.#missed = undefined;
    this.#at = start;
    if (this.#bytes[this.#at++] !== tag.message1) return false;
    const size = this.#size();
    if (size < 0) return false;
    const count = this.#readReferences(Math.min(end, this.#at + size));
    if (count <= 0 || count % 2 !== 0) return false;
    this.#ofSymbols.ofParts(this.#symbolWords, this.#references, count);
    this.#metadata.name = this.#nameIn(count);
    return this.#metadata.name >= 0 && this.#takeKnown(this.#ofSymbols.words, end, into);
  }

  /** The symbol of the metric name; -1 when there is not exactly one. */
  #nameIn(count: number): number {
    let name = -1;
    for (let i = 0; i < count; i += 2) {
      if (this.#references[i] !== this.#nameSymbol) continue;
      if (name >= 0) return -1;
      name = this.#references[i + 1] ?? -1;
    }
    return name;
  }

  /** Where the metadata of the series taken last lies, when the request has not told the same of its metric before. */
  newMetadata():
    | { readonly start: number; readonly end: number; readonly name: number }
    | undefined {
    const { start, end, name } = this.#metadata;
    if (start === end) return undefined;
    return this.#noteMetadata(start, end, name) ? this.#metadata : undefined;
  }

  /** The series that could not be taken is `series` of the batch. */
  missed(series: number): void {
    const words = this.#missed;
    if (!words) return;
    this.#newSeries.push(series);
    for (let i = 0; i < 4; i++) this.#newWords.push(words[i] ?? 0);
    this.#missed = undefined;
  }

  /** The store's refs of the batch's series: what was new is known from now on. */
  learn(refs: readonly (SeriesRef | undefined)[]): void {
    const words = new Int32Array(4);
    for (const [i, series] of this.#newSeries.entries()) {
      const ref = refs[series];
      if (ref === undefined) continue;
      for (let k = 0; k < 4; k++) words[k] = this.#newWords[4 * i + k] ?? 0;
      this.#known.add(words, 0, ref);
    }
  }

  /** These refs are no longer what they were. */
  forget(gone: ReadonlySet<SeriesRef>): void {
    this.#known.forget(gone);
  }

  #takeKnown(words: Int32Array, end: number, into: MetricBatchBuilder): boolean {
    const ref = this.#known.find(words);
    if (ref < 0) {
      if (this.#noMoreLabels(end)) this.#missed = words;
      return false;
    }
    const series = into.known(ref);
    const before = into.size;
    this.#metadata.start = this.#metadata.end = 0;
    let good = true;
    while (good && this.#at < end) good = this.#takeField(series, end, into);
    if (good && this.#at === end && into.size > before) return true;
    into.undoKnown(before);
    return false;
  }

  /** Whether none of the series' further fields are labels, which are not in the fingerprint. */
  #noMoreLabels(end: number): boolean {
    while (this.#at < end) {
      const field = this.#bytes[this.#at++] ?? 0;
      const size = (field & 7) === 2 && field !== tag.message1 ? this.#size() : -1;
      if (size >= 0) this.#at += size;
      else if (field !== startTimeTags.ofSeries || this.#varint(end) < 0) return false;
    }
    return this.#at === end;
  }

  #takeField(series: number, end: number, into: MetricBatchBuilder): boolean {
    const field = this.#bytes[this.#at++];
    if (field === startTimeTags.ofSeries && this.#symbolCount > 0)
      return this.#varint(end) >= 0 && this.#at <= end;
    if (field === tag.message2) {
      const size = this.#size();
      return size >= 0 && this.#at + size <= end && this.#takeSample(series, this.#at + size, into);
    }
    if (field !== tag.message5 || this.#symbolCount === 0) return false;
    const size = this.#size();
    if (size < 0 || this.#at + size > end) return false;
    this.#metadata.start = this.#at;
    this.#metadata.end = this.#at += size;
    return true;
  }

  /** Zero values and times are not written by some senders, and then 0. */
  #takeSample(series: number, end: number, into: MetricBatchBuilder): boolean {
    let low = 0;
    let high = 0;
    let timeMs = 0;
    if (this.#at + 9 <= end && this.#bytes[this.#at] === tag.double1) {
      low = this.#view.getUint32(this.#at + 1, true);
      high = this.#view.getUint32(this.#at + 5, true);
      this.#at += 9;
    }
    if (this.#at < end && this.#bytes[this.#at] === tag.varint2) {
      this.#at++;
      timeMs = this.#varint(end);
      if (timeMs < 0) return false;
    }
    if (this.#at < end && this.#bytes[this.#at] === startTimeTags.ofSample) {
      this.#at++;
      if (this.#varint(end) < 0) return false;
    }
    if (this.#at !== end) return false;
    into.sampleWords(series, timeMs, low, high);
    return true;
  }

  /** The length of a field; -1 when it takes more than three bytes. */
  #size(): number {
    let size = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) return size;
    }
    return -1;
  }

  /** A number below 2^53; -1 for any other. */
  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 7 && this.#at < end; i++, factor *= 128) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  /** How many references were read; -1 when one names no symbol or there are too many. */
  #readReferences(end: number): number {
    let count = 0;
    while (this.#at < end) {
      const symbol = this.#varint(end);
      if (symbol < 0 || symbol >= this.#symbolCount || count === referencesMax) return -1;
      this.#references[count++] = symbol;
    }
    return count;
  }

  /** Whether the metadata differs from what was read with this name before. */
  #noteMetadata(start: number, end: number, name: number): boolean {
    let kind = 0;
    let help = 0;
    let unit = 0;
    for (this.#at = start; this.#at < end;) {
      const field = this.#bytes[this.#at++];
      const value = this.#varint(end);
      if (field === 0x08) kind = value;
      else if (field === 0x18) help = value;
      else if (field === 0x20) unit = value;
      if (value < 0) return true;
    }
    const noted = this.#noted;
    const at = 3 * name;
    if (noted[at] === kind && noted[at + 1] === help && noted[at + 2] === unit) return false;
    noted[at] = kind;
    noted[at + 1] = help;
    noted[at + 2] = unit;
    return true;
  }
}
