/**
 * Parameters as Loki's clients send them: times as unix nanoseconds, seconds with or without a fraction, or RFC 3339.
 * Source: Loki documentation, "HTTP API", timestamps.
 */
import { messageOf, parseDuration, SkoposError } from "@skopos/model";
import { one, type Parameters } from "../prometheus/parameters.ts";

const nsPerMs = 1_000_000n;
const hourNs = 3_600_000_000_000n;
/** Whole numbers with more digits than this are nanoseconds. */
const secondsDigitsMax = 10;

function invalid(name: string, text: string): SkoposError {
  return new SkoposError(
    "bad-request",
    `invalid parameter "${name}": cannot parse ${JSON.stringify(text)}`,
  );
}

export function timeNsOf(parameters: Parameters, name: string): bigint | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  if (/^-?\d+$/.test(text))
    return text.length <= secondsDigitsMax ? BigInt(text) * 1_000_000_000n : BigInt(text);
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return BigInt(Math.round(seconds * 1e6)) * 1000n;
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  const parsed = Date.parse(text.replace(/\.\d+/, ""));
  if (Number.isNaN(parsed)) throw invalid(name, text);
  return BigInt(parsed) * nsPerMs + BigInt(fraction.padEnd(9, "0"));
}

export interface NsRange {
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** `start` and `end`, or `since` before the end; an hour back from now when nothing is said. */
export function nsRangeOf(parameters: Parameters, nowMs: number): NsRange {
  const endNs = timeNsOf(parameters, "end") ?? BigInt(Math.floor(nowMs)) * nsPerMs;
  const since = durationNsOf(parameters, "since") ?? hourNs;
  const startNs = timeNsOf(parameters, "start") ?? endNs - since;
  if (endNs < startNs)
    throw new SkoposError("bad-request", "end timestamp must not be before start time");
  return { startNs, endNs };
}

export function msRangeOf(
  parameters: Parameters,
  nowMs: number,
): { startMs: number; endMs: number } {
  const { startNs, endNs } = nsRangeOf(parameters, nowMs);
  return { startMs: Number(startNs / nsPerMs), endMs: Number((endNs + nsPerMs - 1n) / nsPerMs) };
}

function durationNsOf(parameters: Parameters, name: string): bigint | undefined {
  const ms = durationMsOf(parameters, name);
  return ms === undefined ? undefined : BigInt(ms) * nsPerMs;
}

/** A duration as seconds or in Prometheus's form. */
export function durationMsOf(parameters: Parameters, name: string): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return Math.round(seconds * 1000);
  try {
    return Math.round(parseDuration(text));
  } catch (error) {
    throw new SkoposError("bad-request", `invalid parameter "${name}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

const stepsWanted = 250n;

/** As Loki chooses it: a 250th of the range, at least a second. */
export function stepMsOf(parameters: Parameters, { startNs, endNs }: NsRange): number {
  const asked = durationMsOf(parameters, "step");
  if (asked !== undefined) {
    if (asked > 0) return asked;
    throw new SkoposError(
      "bad-request",
      "zero or negative query resolution step widths are not accepted",
    );
  }
  return Math.max(1, Math.ceil(Number((endNs - startNs) / stepsWanted) / 1e9)) * 1000;
}

const limitMax = 5000;

export function lineLimitOf(parameters: Parameters, fallback: number, name = "limit"): number {
  const text = one(parameters, name);
  if (text === undefined) return fallback;
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit <= 0) throw invalid(name, text);
  if (limit > limitMax)
    throw new SkoposError(
      "bad-request",
      `max entries limit per query exceeded, limit > max_entries_limit_per_query (${limit} > ${limitMax})`,
    );
  return limit;
}

export function directionOf(parameters: Parameters): "backward" | "forward" {
  const text = (one(parameters, "direction") ?? "backward").toLowerCase();
  if (text === "backward" || text === "forward") return text;
  throw invalid("direction", text);
}
