/** Reads the series part of a sample line: `name{label="value",…}`, or `{"quoted name", label="value"}`. */
import { LabelSet, metricNameLabel } from "@skopos/model";
import { ExpositionError } from "../errors.ts";
import { canonicalFloat } from "./number.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const quote = 34;
const backslash = 92;
const openBrace = 123;
const closeBrace = 125;
const comma = 44;
const equals = 61;
const newline = 10;

/** Where on the page an error is: the line's number and where it starts. */
export interface LinePosition {
  readonly line: number;
  readonly start: number;
}

export interface SeriesRules {
  /** OpenMetrics: no blanks between the parts, no comma at the end, no label twice. */
  readonly strict: boolean;
}

export function failAt(position: LinePosition, at: number, reason: string): never {
  throw new ExpositionError(reason, position.line, at - position.start + 1);
}

function isNameByte(c: number, first: boolean, colon: boolean): boolean {
  if ((c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95) return true;
  if (c === 58) return colon;
  return !first && c >= 48 && c <= 57;
}

/** `bytes[start, end)` one character per byte: exact as a key, and as text when it is ASCII. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("latin1", start, end);
}

/** End of the series part that starts at `start`, found without checking it: the cheap half of reading a line. */
export function seriesEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length) {
    const c = bytes[at] ?? 0;
    if (c === openBrace) return braceEnd(bytes, at + 1);
    if (c === 32 || c === 9) {
      let next = at;
      while (bytes[next] === 32 || bytes[next] === 9) next++;
      return bytes[next] === openBrace ? braceEnd(bytes, next + 1) : at;
    }
    if (c === newline) return at;
    at++;
  }
  return at;
}

function braceEnd(bytes: Uint8Array, start: number): number {
  let quoted = false;
  for (let at = start; at < bytes.length; at++) {
    const c = bytes[at] ?? 0;
    if (c === newline) return at;
    if (c === backslash && quoted) at++;
    else if (c === quote) quoted = !quoted;
    else if (c === closeBrace && !quoted) return at + 1;
  }
  return bytes.length;
}

interface LabelBlock {
  readonly labels: LabelSet;
  /** Every name and value, empty ones too. */
  readonly texts: readonly string[];
  readonly end: number;
}

/** Parses a label block `{…}` at `start` that carries no metric name (an exemplar's). */
export function parseLabelBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  position: LinePosition,
): LabelBlock {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new SeriesReader(buffer, { strict: true }).block(start, end, position);
}

/**
 * Takes series of one page apart. Labels that stand at the beginning of the series read before, in the same bytes, are taken
 * over from there: the parts of a histogram differ in the last one alone.
 */
export class SeriesReader {
  readonly #bytes: Buffer;
  readonly #rules: SeriesRules;
  #end = 0;
  #position: LinePosition = { line: 1, start: 0 };
  #metric: string | undefined;
  /** Labels of the series read last in their order, and how far from its brace each ends. */
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #ends: number[] = [];
  #brace = 0;
  /** Whether the next series may take labels over. */
  #isKept = false;

  constructor(bytes: Buffer, rules: SeriesRules) {
    this.#bytes = bytes;
    this.#rules = rules;
  }

  /** The series `bytes[start, end)`, which `seriesEnd` delimited. Throws `ExpositionError`. */
  read(start: number, end: number, position: LinePosition): LabelSet {
    this.#end = end;
    this.#position = position;
    let at = this.#nameEnd(start, true);
    this.#metric = at > start ? this.#ascii(start, at) : undefined;
    if (!this.#rules.strict) at = this.#blanks(at);
    if (at < end && this.#bytes[at] === openBrace) at = this.#block(at);
    else this.#clear();
    if (at !== end) this.#fail(at, "expected a metric name, labels and a value");
    if (this.#metric === undefined) this.#fail(start, "expected a metric name");
    return this.#labels(true);
  }

  /** The labels of a block that begins at `start` and ends before `end`. Throws `ExpositionError`. */
  block(start: number, end: number, position: LinePosition): LabelBlock {
    this.#end = end;
    this.#position = position;
    this.#metric = undefined;
    if (this.#bytes[start] !== openBrace) this.#fail(start, "expected {");
    const after = this.#block(start);
    if (this.#metric !== undefined) this.#fail(start, "an exemplar has no metric name");
    return { labels: this.#labels(false), texts: [...this.#names, ...this.#values], end: after };
  }

  #clear(): void {
    this.#names.length = 0;
    this.#isKept = false;
  }

  /** With `bounds`, those of buckets and quantiles are written as OpenMetrics does. */
  #labels(bounds: boolean): LabelSet {
    const flat: string[] = [];
    if (this.#metric) flat.push(metricNameLabel, this.#metric);
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i] ?? "";
      const text = this.#values[i] ?? "";
      if (text === "") continue;
      const isBound = bounds && (name === "le" || name === "quantile");
      const value = isBound ? canonicalFloat(text) : text;
      let at = flat.length;
      while (at > 0 && (flat[at - 2] ?? "") > name) at -= 2;
      if (at === flat.length) flat.push(name, value);
      else flat.splice(at, 0, name, value);
    }
    return LabelSet.fromSorted(flat);
  }

  #block(open: number): number {
    const kept = this.#isKept ? this.#sharedLabels(open) : 0;
    this.#names.length = kept;
    this.#values.length = kept;
    this.#ends.length = kept;
    this.#brace = open;
    this.#isKept = true;
    let at =
      kept > 0 ? this.#afterLabel(open + (this.#ends[kept - 1] ?? 0)) : this.#blanks(open + 1);
    while (this.#bytes[at] !== closeBrace || at >= this.#end)
      at = this.#afterLabel(this.#label(at));
    return at + 1;
  }

  /** How many labels begin both this block and the one before. */
  #sharedLabels(open: number): number {
    let low = 0;
    let high = this.#ends.length;
    // Mostly all but the last.
    let tried = high - 1;
    while (low < high) {
      tried = Math.max(tried, low + 1);
      const size = this.#ends[tried - 1] ?? 0;
      const same =
        open + size <= this.#end &&
        this.#bytes.compare(this.#bytes, open, open + size, this.#brace, this.#brace + size) === 0;
      if (same) low = tried;
      else high = tried - 1;
      tried = (low + high + 1) >> 1;
    }
    return low;
  }

  #afterLabel(end: number): number {
    let at = this.#blanks(end);
    const c = at < this.#end ? this.#bytes[at] : 0;
    if (c === closeBrace) return at;
    if (c !== comma) this.#fail(at, "expected a comma or } after a label");
    at = this.#blanks(at + 1);
    if (this.#rules.strict && this.#bytes[at] === closeBrace)
      this.#fail(at, "expected a label after the comma");
    return at;
  }

  #label(start: number): number {
    let name: string;
    let at: number;
    const quoted = this.#bytes[start] === quote;
    if (quoted) {
      const text = this.#quoted(start);
      name = text.value;
      at = text.end;
    } else {
      at = this.#nameEnd(start, false);
      if (at === start) this.#fail(start, "expected a label name");
      name = this.#ascii(start, at);
    }
    at = this.#blanks(at);
    if (at >= this.#end || this.#bytes[at] !== equals) {
      if (!quoted || this.#metric !== undefined)
        this.#fail(at, `expected = after label name ${JSON.stringify(name)}`);
      return this.#named(name, at);
    }
    at = this.#blanks(at + 1);
    if (at >= this.#end || this.#bytes[at] !== quote)
      this.#fail(at, `the value of label ${JSON.stringify(name)} must be in double quotes`);
    const { value, end } = this.#quoted(at);
    const isMetric = name === metricNameLabel;
    if (this.#names.includes(name) || (isMetric && this.#metric !== undefined))
      this.#fail(start, `label ${JSON.stringify(name)} is given twice`);
    if (isMetric) return this.#named(value, end);
    this.#names.push(name);
    this.#values.push(value);
    this.#ends.push(end - this.#brace);
    return end;
  }

  /** The metric's name in the block: what stands behind it is not taken over by the next series. */
  #named(metric: string, end: number): number {
    this.#metric = metric;
    this.#isKept = false;
    return end;
  }

  #quoted(open: number): { value: string; end: number } {
    let close = open + 1;
    let escaped = false;
    let ascii = true;
    while (close < this.#end && this.#bytes[close] !== quote) {
      if ((this.#bytes[close] ?? 0) >= 0x80) ascii = false;
      if (this.#bytes[close] === backslash) {
        escaped = true;
        close++;
        if ((this.#bytes[close] ?? 0) >= 0x80) ascii = false;
      }
      close++;
    }
    if (close >= this.#end) this.#fail(open, "the quote is not closed on its line");
    let value: string;
    try {
      value = ascii
        ? latin1(this.#bytes, open + 1, close)
        : decoder.decode(this.#bytes.subarray(open + 1, close));
    } catch {
      return this.#fail(open, "the text in quotes is not UTF-8");
    }
    if (escaped) value = value.replaceAll(/\\([\\"n])/g, (_, c: string) => (c === "n" ? "\n" : c));
    return { value, end: close + 1 };
  }

  #nameEnd(start: number, colon: boolean): number {
    let at = start;
    while (at < this.#end && isNameByte(this.#bytes[at] ?? 0, at === start, colon)) at++;
    return at;
  }

  #blanks(start: number): number {
    let at = start;
    if (this.#rules.strict) return at;
    while (at < this.#end && (this.#bytes[at] === 32 || this.#bytes[at] === 9)) at++;
    return at;
  }

  #ascii(start: number, end: number): string {
    return latin1(this.#bytes, start, end);
  }

  #fail(at: number, reason: string): never {
    return failAt(this.#position, at, reason);
  }
}
