/** The heat map of the Traces page: which query counts durations, and which one a selected cell means. */
import { formatDuration } from "@skopos/model";

/** Traces by their root span: what a reader who asked for nothing in particular wants to see. */
const rootSpans = "nestedSetParent < 0";

/** The condition inside the braces; `null` when the query is more than one filter. */
function conditionOf(query: string): string | null {
  const text = query.trim();
  if (text === "") return rootSpans;
  const inside = /^\{([^{}|]*(?:\|\|[^{}|]*)*)\}$/s.exec(text)?.[1];
  if (inside === undefined) return null;
  return inside.trim() === "" ? rootSpans : inside.trim();
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
  const condition = conditionOf(query) ?? rootSpans;
  const whole = condition.includes("||") ? `(${condition})` : condition;
  const lower = lowerMs > 0 ? [`duration > ${durationText(lowerMs)}`] : [];
  return `{ ${[whole, ...lower, `duration <= ${durationText(upperMs)}`].join(" && ")} }`;
}
