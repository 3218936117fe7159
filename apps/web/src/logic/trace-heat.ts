/** The heat map of the Traces page: which query counts durations, and which one a selected cell means. */
import { formatDuration } from "@skopos/model";

/** Requests as their servers saw them, where nothing is asked for: the store counts them without reading whole traces. */
const serverSpans = "kind = server";

/** The condition inside the braces; `null` when the query is more than one filter. */
function conditionOf(query: string): string | null {
  const text = query.trim();
  if (text === "") return serverSpans;
  const inside = /^\{([^{}|]*(?:\|\|[^{}|]*)*)\}$/s.exec(text)?.[1];
  if (inside === undefined) return null;
  return inside.trim() === "" ? serverSpans : inside.trim();
}

/** What is counted, in words. */
export function heatTitle(query: string): string {
  return conditionOf(query) === serverSpans
    ? "How long requests take at their servers"
    : "How long matching spans take";
}

/** `null` when durations cannot be counted over the query. */
export function heatQuery(query: string): string | null {
  const condition = conditionOf(query);
  return condition === null ? null : `{ ${condition} } | histogram_over_time(duration)`;
}

const durationText = (ms: number) => {
  const us = Math.max(0, Math.round(ms * 1000));
  return us % 1000 === 0 ? formatDuration(us / 1000) : `${us}us`;
};

/** The query narrowed to durations above `lowerMs` up to `upperMs`. */
export function narrowed(query: string, lowerMs: number, upperMs: number): string {
  const condition = conditionOf(query) ?? serverSpans;
  const whole = condition.includes("||") ? `(${condition})` : condition;
  const lower = lowerMs > 0 ? [`duration > ${durationText(lowerMs)}`] : [];
  return `{ ${[whole, ...lower, `duration <= ${durationText(upperMs)}`].join(" && ")} }`;
}
