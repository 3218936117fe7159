/** Line filters, run here where a store cannot. */
import { compileRegex } from "@skopos/model";
import type { LineFilterOp, LineFilterOperand, LineFilterStage } from "../syntax/ast.ts";
import { type IpRange, parseIp, parseIpRange } from "../syntax/ip.ts";
import { parsePattern, type PatternPart } from "../syntax/pattern.ts";

export type LineTest = (text: string) => boolean;

/** Any operand matches; for a negative filter, none. */
export function compileLineFilter({ op, operands }: LineFilterStage): LineTest {
  const wanted = op === "|=" || op === "|~" || op === "|>";
  const tests = operands.map((operand) => compileOperand(op, operand));
  const [only] = tests;
  if (tests.length === 1 && only) return wanted ? only : (text) => !only(text);
  return (text) => tests.some((test) => test(text)) === wanted;
}

function compileOperand(op: LineFilterOp, { type, value }: LineFilterOperand): LineTest {
  if (type === "ip") return compileIpTest(value);
  if (op === "|=" || op === "!=") return (text) => text.includes(value);
  if (op === "|>" || op === "!>") {
    const parts = parsePattern(value);
    return (text) => matchesPattern(parts, text);
  }
  const pattern = compileRegex(value);
  return (text) => pattern.matcher(text).find();
}

/** Captures take at least one character; literals are found at their first place. */
function matchesPattern(parts: readonly PatternPart[], text: string): boolean {
  if (parts.length === 0 || text === "") return parts.length === 0 && text === "";
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (part?.type !== "literal") continue;
    const found = text.indexOf(part.text, at);
    if (found < 0) return false;
    if (i === 0 ? found !== 0 : found === at) return false;
    at = found + part.text.length;
  }
  return (parts.at(-1)?.type === "capture") === at < text.length;
}

const ipv4Candidate = /\d{1,3}(?:\.\d{1,3}){3}/g;
const ipv6Candidate = /[0-9a-fA-F]{0,4}:[0-9a-fA-F:]+(?:\.\d{1,3}){0,3}/g;

/** Whether an address in the range stands anywhere in a text. */
export function compileIpTest(pattern: string): LineTest {
  const range = parseIpRange(pattern);
  if (!range) return () => false;
  const candidates = range.version === 4 ? ipv4Candidate : ipv6Candidate;
  return (text) => {
    for (const match of text.matchAll(candidates)) {
      if (range.version === 4 && isPartOfNumber(text, match.index, match[0].length)) continue;
      if (isWithin(range, match[0])) return true;
    }
    return false;
  };
}

function isPartOfNumber(text: string, at: number, length: number): boolean {
  return /[\d.]/.test(text.charAt(at - 1)) || /\d/.test(text.charAt(at + length));
}

function isWithin(range: IpRange, text: string): boolean {
  // A colon after an address is punctuation.
  const ip = parseIp(text) ?? parseIp(text.replace(/:+$/, ""));
  return (
    ip !== undefined &&
    ip.version === range.version &&
    ip.value >= range.first &&
    ip.value <= range.last
  );
}
