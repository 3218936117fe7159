/** Parameters as Prometheus's clients send them: in the query or a form, repeated or not, times as unix seconds or RFC 3339. */
import { type Matcher, messageOf, parseDuration, SkoposError } from "@skopos/model";
import { parseSelector } from "@skopos/promql/syntax";

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What JavaScript's dates hold; clients that mean "ever" ask for less or more. */
const timeMsMin = -8.64e15;
const timeMsMax = 8.64e15;
/** How Go's clients write "ever". */
const everTimes: Readonly<Record<string, number>> = {
  "-292273086-05-16T16:47:06Z": timeMsMin,
  "292277025-08-18T07:12:54.999999999Z": timeMsMax,
  "+292277025-08-18T07:12:54.999999999Z": timeMsMax,
};

/** The series a label request may look at. */
export const seriesMax = 100_000;

function invalid(name: string, reason: string, cause?: unknown): SkoposError {
  return new SkoposError("bad-request", `invalid parameter "${name}": ${reason}`, { cause });
}

export function all(parameters: Parameters, name: string): readonly string[] {
  const value = parameters[name];
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}

/** The first of several; an empty one counts as absent. */
export function one(parameters: Parameters, name: string): string | undefined {
  return all(parameters, name)[0] || undefined;
}

export function required(parameters: Parameters, name: string): string {
  const value = one(parameters, name);
  if (value === undefined) throw invalid(name, "it is missing");
  return value;
}

export function timeOf(parameters: Parameters, name: string): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!Number.isNaN(seconds))
    return Math.round(Math.min(Math.max(seconds * 1000, timeMsMin), timeMsMax));
  const parsed = everTimes[text] ?? Date.parse(text);
  if (Number.isNaN(parsed))
    throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  return parsed;
}

/** A duration as seconds or in Prometheus's form. */
export function durationOf(parameters: Parameters, name: string): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return Math.round(seconds * 1000);
  try {
    return parseDuration(text);
  } catch (error) {
    throw invalid(name, messageOf(error), error);
  }
}

/** 0 and absent mean no limit: undefined. */
export function limitOf(parameters: Parameters, name = "limit"): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw invalid(name, `${JSON.stringify(text)} is not a whole number, 0 or above`);
  return limit === 0 ? undefined : limit;
}

export function flagOf(parameters: Parameters, name: string): boolean {
  const text = one(parameters, name)?.toLowerCase();
  if (text === undefined || ["0", "f", "false"].includes(text)) return false;
  if (["1", "t", "true"].includes(text)) return true;
  throw invalid(name, `${JSON.stringify(text)} is neither true nor false`);
}

/** `match[]`. Throws `bad-query`. */
export function selectorsOf(parameters: Parameters): Matcher[][] {
  return all(parameters, "match[]").map((text) => [...parseSelector(text)]);
}

export interface SeriesRequest {
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

/** `match[]`, `start`, `end` and `limit`; one more than the limit is asked for, so that a cut can be told. */
export function seriesRequestOf(parameters: Parameters): SeriesRequest {
  const startMs = timeOf(parameters, "start") ?? timeMsMin;
  const endMs = timeOf(parameters, "end") ?? timeMsMax;
  if (endMs < startMs) throw invalid("end", "end timestamp must not be before start time");
  return {
    matcherSets: selectorsOf(parameters),
    startMs,
    endMs,
    limit: Math.min(limitOf(parameters) ?? seriesMax, seriesMax) + 1,
  };
}
