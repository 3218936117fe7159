/**
 * Native histograms of one series as a chunk of encoding FLOAT_HISTOGRAM: a count of two bytes, one that says whether the
 * chunk begins with a reset, the layout of the buckets, then times as differences of differences and every number as the
 * difference of its bits. All histograms of a chunk have one layout, and none of a counter falls.
 * Source: prometheus tsdb/chunkenc/{float_histogram,histogram_meta,varbit}.go.
 */
import { highWord, lowWord, type NativeHistogram } from "@skopos/model";
import { BitBuffer, fits, XorColumn } from "./bits.ts";
import type { Chunk } from "./float-chunk.ts";

const headerBits = 24;
const resetHeader = { unknown: 0, "not-reset": 0x40, reset: 0x80, gauge: 0xc0 } as const;
const customBucketsSchema = -53;
type Span = NativeHistogram["positiveSpans"][number];

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);

export class HistogramChunk {
  readonly #bits = new BitBuffer();
  #columns: readonly XorColumn[] = [];
  #last: NativeHistogram | undefined;
  #delta = 0;
  #firstMs = 0;
  #lastMs = 0;
  count = 0;

  get sizeBytes(): number {
    return this.#bits.sizeBytes;
  }

  /** Whether the histogram may follow the last one in this chunk. */
  takes(histogram: NativeHistogram): boolean {
    const last = this.#last;
    return !last || (sameLayout(last, histogram) && !fell(last, histogram));
  }

  add(timeMs: number, histogram: NativeHistogram): void {
    const bits = this.#bits;
    if (!this.#last) {
      bits.write(resetHeader[histogram.counterReset], headerBits);
      writeLayout(bits, histogram);
      writeVarbitInt(bits, timeMs);
      this.#columns = numbersOf(histogram).map((value) => {
        scratch[0] = value;
        return new XorColumn(bits, words[lowWord] ?? 0, words[highWord] ?? 0);
      });
      this.#firstMs = timeMs;
    } else {
      const delta = timeMs - this.#lastMs;
      writeVarbitInt(bits, delta - this.#delta);
      this.#delta = delta;
      for (const [i, value] of numbersOf(histogram).entries()) {
        scratch[0] = value;
        this.#columns[i]?.write(bits, words[lowWord] ?? 0, words[highWord] ?? 0);
      }
    }
    this.#last = histogram;
    this.#lastMs = timeMs;
    this.count++;
  }

  /** As `FloatChunk`'s. */
  take(): Chunk {
    this.#bits.setUint16(0, this.count);
    const bytes = this.#bits.take();
    this.#last = undefined;
    this.#delta = 0;
    this.count = 0;
    return { encoding: 3, firstMs: this.#firstMs, lastMs: this.#lastMs, bytes };
  }
}

/** In the order in which a sample has them. */
function numbersOf(histogram: NativeHistogram): number[] {
  const { count, zeroCount, sum, positiveBuckets, negativeBuckets } = histogram;
  return [count, zeroCount, sum, ...positiveBuckets, ...negativeBuckets];
}

function sameLayout(a: NativeHistogram, b: NativeHistogram): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    (a.counterReset === "gauge") === (b.counterReset === "gauge") &&
    sameSpans(a.positiveSpans, b.positiveSpans) &&
    sameSpans(a.negativeSpans, b.negativeSpans) &&
    a.customValues.length === b.customValues.length &&
    a.customValues.every((bound, i) => bound === b.customValues[i])
  );
}

function sameSpans(a: readonly Span[], b: readonly Span[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ offset, length }, i) => offset === b[i]?.offset && length === b[i]?.length)
  );
}

/** Readers take whatever follows in a chunk of a counter for no reset. */
function fell(a: NativeHistogram, b: NativeHistogram): boolean {
  if (b.counterReset === "gauge") return false;
  if (b.counterReset === "reset" || b.count < a.count || b.zeroCount < a.zeroCount) return true;
  const below = (last: readonly number[], next: readonly number[]) =>
    next.some((value, i) => value < (last[i] ?? 0));
  return below(a.positiveBuckets, b.positiveBuckets) || below(a.negativeBuckets, b.negativeBuckets);
}

function writeLayout(bits: BitBuffer, histogram: NativeHistogram): void {
  writeZeroThreshold(bits, histogram.zeroThreshold);
  writeVarbitInt(bits, histogram.schema);
  writeSpans(bits, histogram.positiveSpans);
  writeSpans(bits, histogram.negativeSpans);
  if (histogram.schema !== customBucketsSchema) return;
  writeVarbitUint(bits, histogram.customValues.length);
  for (const bound of histogram.customValues) writeBound(bits, bound);
}

function writeSpans(bits: BitBuffer, spans: readonly Span[]): void {
  writeVarbitUint(bits, spans.length);
  for (const { offset, length } of spans) {
    writeVarbitUint(bits, length);
    writeVarbitInt(bits, offset);
  }
}

/** Powers of two, which nearly all are, take one byte. */
function writeZeroThreshold(bits: BitBuffer, threshold: number): void {
  if (threshold === 0) return bits.write(0, 8);
  const exponent = Math.round(Math.log2(threshold)) + 1;
  if (2 ** (exponent - 1) === threshold && exponent >= -242 && exponent <= 11)
    return bits.write(exponent + 243, 8);
  bits.write(255, 8);
  writeDouble(bits, threshold);
}

/** Thousandths where the bound is whole in them. */
function writeBound(bits: BitBuffer, bound: number): void {
  const thousandths = Math.round(bound * 1000);
  if (bound >= 0 && thousandths <= 33_554_430 && thousandths / 1000 === bound)
    return writeVarbitUint(bits, thousandths + 1);
  bits.write(0, 1);
  writeDouble(bits, bound);
}

function writeDouble(bits: BitBuffer, value: number): void {
  scratch[0] = value;
  bits.write64(words[lowWord] ?? 0, words[highWord] ?? 0);
}

/** Bits of a number by the length of the run of ones before it. */
const varbitWidths = [3, 6, 9, 12, 18, 25] as const;

function writeVarbitInt(bits: BitBuffer, value: number): void {
  if (value === 0) return bits.write(0, 1);
  for (const [i, width] of varbitWidths.entries())
    if (fits(value, width)) {
      bits.write(2 ** (i + 2) - 2, i + 2);
      return bits.write(value, width);
    }
  if (fits(value, 56)) {
    bits.write(0b11111110, 8);
    bits.write(Math.floor(value / 2 ** 32), 24);
    return bits.write(value % 2 ** 32, 32);
  }
  bits.write(0xff, 8);
  bits.int64(value);
}

function writeVarbitUint(bits: BitBuffer, value: number): void {
  if (value === 0) return bits.write(0, 1);
  for (const [i, width] of varbitWidths.entries())
    if (value < 2 ** width) {
      bits.write(2 ** (i + 2) - 2, i + 2);
      return bits.write(value, width);
    }
  // No count here is longer than 56 bits.
  bits.write(0b11111110, 8);
  bits.write(Math.floor(value / 2 ** 32), 24);
  bits.write(value, 32);
}
