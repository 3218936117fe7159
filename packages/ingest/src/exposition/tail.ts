/** Reads what follows the series on a sample line: value, timestamp and, in OpenMetrics, exemplar. */
import type { LabelSet } from "@skopos/model";
import { parseNumber } from "./number.ts";
import { failAt, type LinePosition, parseLabelBlock } from "./series.ts";

export interface Tail {
  value: number;
  /** Unix milliseconds; NaN when the line gives none. */
  timeMs: number;
  /** Where the line ends (its newline, or the end of the page). */
  end: number;
  exemplar: { labels: LabelSet; value: number; timeMs: number | undefined } | undefined;
}

const newline = 10;
const space = 32;
const exemplarCharsMax = 128;

function tokenEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length) {
    const c = bytes[at] ?? 0;
    if (c === newline || c === space || c === 9) break;
    at++;
  }
  return at;
}

function skipBlanks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === space || bytes[at] === 9) at++;
  return at;
}

/** Text 0.0.4: blanks between the parts, an optional timestamp in whole milliseconds. */
export function readTextTail(
  bytes: Uint8Array,
  start: number,
  tail: Tail,
  position: LinePosition,
): void {
  let at = skipBlanks(bytes, start);
  let end = tokenEnd(bytes, at);
  if (at === end) failAt(position, at, "expected a value");
  tail.value = readNumber(bytes, at, end, "value", position);
  tail.timeMs = Number.NaN;
  tail.exemplar = undefined;
  at = skipBlanks(bytes, end);
  if (at < bytes.length && bytes[at] !== newline) {
    end = tokenEnd(bytes, at);
    const timeMs = readNumber(bytes, at, end, "timestamp", position);
    if (!Number.isSafeInteger(timeMs))
      failAt(position, at, "a timestamp is a whole number of milliseconds");
    tail.timeMs = timeMs;
    at = skipBlanks(bytes, end);
  }
  if (at < bytes.length && bytes[at] !== newline)
    failAt(position, at, "expected the line to end after value and timestamp");
  tail.end = at;
}

/** OpenMetrics: exactly one space between the parts, timestamps in seconds, an optional exemplar after ` # `. */
export function readOpenMetricsTail(
  bytes: Uint8Array,
  start: number,
  tail: Tail,
  position: LinePosition,
): void {
  let at = expectSpace(bytes, start, "the value", position);
  let end = tokenEnd(bytes, at);
  tail.value = readNumber(bytes, at, end, "value", position);
  tail.timeMs = Number.NaN;
  tail.exemplar = undefined;
  if (bytes[end] === space && bytes[end + 1] !== 35) {
    at = end + 1;
    end = tokenEnd(bytes, at);
    tail.timeMs = readSeconds(bytes, at, end, position);
  }
  if (bytes[end] === space) end = readExemplar(bytes, end + 1, tail, position);
  if (bytes[end] !== newline)
    failAt(position, end, "expected the line to end after value and timestamp");
  tail.end = end;
}

function readExemplar(
  bytes: Uint8Array,
  start: number,
  tail: Tail,
  position: LinePosition,
): number {
  if (bytes[start] !== 35) failAt(position, start, "expected # and an exemplar");
  let at = expectSpace(bytes, start + 1, "the exemplar's labels", position);
  const line = bytes.indexOf(newline, at);
  const lineEnd = line === -1 ? bytes.length : line;
  const { labels, texts, end: after } = parseLabelBlock(bytes, at, lineEnd, position);
  let chars = 0;
  for (const text of texts) chars += codePoints(text);
  if (chars > exemplarCharsMax)
    failAt(position, at, `an exemplar's labels hold at most ${exemplarCharsMax} characters`);
  at = expectSpace(bytes, after, "the exemplar's value", position);
  let end = tokenEnd(bytes, at);
  const value = readNumber(bytes, at, end, "exemplar value", position);
  let timeMs: number | undefined;
  if (bytes[end] === space) {
    at = end + 1;
    end = tokenEnd(bytes, at);
    timeMs = readSeconds(bytes, at, end, position);
  }
  tail.exemplar = { labels, value, timeMs };
  return end;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function expectSpace(bytes: Uint8Array, at: number, what: string, position: LinePosition): number {
  if (bytes[at] !== space) failAt(position, at, `expected one space and ${what}`);
  return at + 1;
}

function readNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  what: string,
  position: LinePosition,
): number {
  const value = parseNumber(bytes, start, end);
  if (value === undefined) return failAt(position, start, `the ${what} is not a number`);
  return value;
}

function readSeconds(
  bytes: Uint8Array,
  start: number,
  end: number,
  position: LinePosition,
): number {
  const value = readNumber(bytes, start, end, "timestamp", position);
  if (!Number.isFinite(value))
    return failAt(position, start, "a timestamp is a finite number of seconds");
  return Math.round(value * 1000);
}
