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

/** Parses `bytes[start, end)`, which `seriesEnd` delimited. Throws `ExpositionError`. */
export function parseSeries(
  bytes: Uint8Array,
  start: number,
  end: number,
  rules: SeriesRules,
  position: LinePosition,
): LabelSet {
  const reader = new SeriesReader(bytes, end, rules, position);
  return reader.series(start);
}

/** Parses a label block `{…}` at `start` that carries no metric name (an exemplar's). Returns the pairs and its end. */
export function parseLabelBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  position: LinePosition,
): { pairs: Map<string, string>; end: number } {
  const reader = new SeriesReader(bytes, end, { strict: true }, position);
  const pairs = new Map<string, string>();
  const after = reader.block(start, pairs);
  if (pairs.has(metricNameLabel)) failAt(position, start, "an exemplar has no metric name");
  return { pairs, end: after };
}

class SeriesReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #rules: SeriesRules;
  readonly #position: LinePosition;

  constructor(bytes: Uint8Array, end: number, rules: SeriesRules, position: LinePosition) {
    this.#bytes = bytes;
    this.#end = end;
    this.#rules = rules;
    this.#position = position;
  }

  series(start: number): LabelSet {
    const pairs = new Map<string, string>();
    let at = this.#nameEnd(start, true);
    if (at > start) pairs.set(metricNameLabel, this.#ascii(start, at));
    if (!this.#rules.strict) at = this.#blanks(at);
    if (at < this.#end && this.#bytes[at] === openBrace) at = this.block(at, pairs);
    if (at !== this.#end) this.#fail(at, "expected a metric name, labels and a value");
    if (!pairs.has(metricNameLabel)) this.#fail(start, "expected a metric name");
    for (const bound of ["le", "quantile"]) {
      const value = pairs.get(bound);
      if (value !== undefined) pairs.set(bound, canonicalFloat(value));
    }
    return LabelSet.fromPairs(pairs);
  }

  block(open: number, pairs: Map<string, string>): number {
    if (this.#bytes[open] !== openBrace) this.#fail(open, "expected {");
    let at = this.#blanks(open + 1);
    while (this.#bytes[at] !== closeBrace || at >= this.#end) {
      at = this.#pair(at, pairs);
      at = this.#blanks(at);
      const c = at < this.#end ? this.#bytes[at] : 0;
      if (c === closeBrace) break;
      if (c !== comma) this.#fail(at, "expected a comma or } after a label");
      at = this.#blanks(at + 1);
      if (this.#rules.strict && this.#bytes[at] === closeBrace)
        this.#fail(at, "expected a label after the comma");
    }
    return at + 1;
  }

  #pair(start: number, pairs: Map<string, string>): number {
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
      if (!quoted || pairs.has(metricNameLabel))
        this.#fail(at, `expected = after label name ${JSON.stringify(name)}`);
      pairs.set(metricNameLabel, name);
      return at;
    }
    at = this.#blanks(at + 1);
    if (at >= this.#end || this.#bytes[at] !== quote)
      this.#fail(at, `the value of label ${JSON.stringify(name)} must be in double quotes`);
    const { value, end } = this.#quoted(at);
    if (pairs.has(name)) this.#fail(start, `label ${JSON.stringify(name)} is given twice`);
    pairs.set(name, value);
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
