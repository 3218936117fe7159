/** Guesses from a query's text how its values are written; a wrong guess only changes how numbers read. */
import { say, significant, type Unit } from "./numbers.ts";

export function guessUnit(query: string): Unit {
  if (/histogram_quantile.*milliseconds/s.test(query)) return "ms";
  if (/bytes/.test(query)) return /rate\(/.test(query) ? "bytes-per-second" : "bytes";
  if (/\)\s*\/\s*(sum|avg|rate)/s.test(query)) return "ratio";
  if (/rate\(/.test(query)) return "per-second";
  return "count";
}

/** How the bounds of a histogram's buckets are written, by the unit in the metric's name. */
export function boundWriter(query: string): (bound: number) => string {
  if (/milliseconds/.test(query)) return (bound) => say(bound, "ms").text;
  if (/seconds/.test(query)) return (bound) => say(bound * 1000, "ms").text;
  if (/bytes/.test(query)) return (bound) => say(bound, "bytes").text;
  return (bound) => significant(bound);
}

/** How what fell into a bucket is written: counters and rates per second, increases as they are. */
export function amountWriter(query: string): (amount: number) => string {
  const unit: Unit = /\b(?:increase|delta)\s*\(/.test(query) ? "count" : "per-second";
  return (amount) => say(amount, unit).text;
}
