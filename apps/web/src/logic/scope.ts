/**
 * What travels from page to page in the address: the time range and the namespace. Relative ranges are `range=1h`;
 * absolute ones `from` and `to` in unix milliseconds (or anything `Date` reads). Bad values fall back to the default
 * instead of breaking a shared link.
 */
import { formatDuration, parseDuration } from "@skopos/model";

export type TimeRange =
  | { readonly kind: "relative"; readonly lengthMs: number }
  | { readonly kind: "absolute"; readonly from: number; readonly to: number };

export interface Scope {
  readonly time: TimeRange;
  /** Absent: all namespaces. */
  readonly namespace: string | undefined;
}

export const defaultRangeMs = 3_600_000;
const longestRangeMs = 366 * 86_400_000;
const carried = ["range", "from", "to", "ns"] as const;

export const presets = ["5m", "15m", "1h", "3h", "6h", "1d", "2d", "7d"] as const;

function readMoment(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

function readLength(text: string | null): number {
  if (text === null) return defaultRangeMs;
  try {
    const lengthMs = parseDuration(text);
    return lengthMs > 0 && lengthMs <= longestRangeMs ? lengthMs : defaultRangeMs;
  } catch {
    return defaultRangeMs; // A mistyped link still opens.
  }
}

export function readScope(search: URLSearchParams): Scope {
  const from = readMoment(search.get("from"));
  const to = readMoment(search.get("to"));
  const namespace = search.get("ns") ?? undefined;
  if (from !== undefined && to !== undefined && to > from)
    return { time: { kind: "absolute", from, to }, namespace };
  return { time: { kind: "relative", lengthMs: readLength(search.get("range")) }, namespace };
}

/** Parameters that say `range`; `null` removes one. Meant for `patchSearch`. */
export function rangeParameters(time: TimeRange): Record<"range" | "from" | "to", string | null> {
  if (time.kind === "absolute")
    return { range: null, from: `${Math.round(time.from)}`, to: `${Math.round(time.to)}` };
  const range = time.lengthMs === defaultRangeMs ? null : formatDuration(time.lengthMs);
  return { range, from: null, to: null };
}

/** Start and end in unix milliseconds as of `nowMs`. */
export function resolveRange(time: TimeRange, nowMs: number): { start: number; end: number } {
  return time.kind === "absolute"
    ? { start: time.from, end: time.to }
    : { start: nowMs - time.lengthMs, end: nowMs };
}

/** A link to `path` that keeps the scope of the page it stands on; what `path` says itself wins. */
export function withScope(path: string, current: URLSearchParams): string {
  if (!path.startsWith("/")) return path;
  const [beforeHash = "", hash] = path.split("#", 2);
  const [pathname = "", query = ""] = beforeHash.split("?", 2);
  const search = new URLSearchParams(query);
  const ownTime = search.has("from") || search.has("range");
  for (const key of carried) {
    const value = current.get(key);
    if (value === null || search.has(key) || (ownTime && key !== "ns")) continue;
    search.set(key, value);
  }
  const text = search.toString();
  return `${pathname}${text ? `?${text}` : ""}${hash === undefined ? "" : `#${hash}`}`;
}

/** Sets and removes parameters; the order of the others stays. */
export function patchSearch(
  current: URLSearchParams,
  patch: Readonly<Record<string, string | readonly string[] | null>>,
): URLSearchParams {
  const next = new URLSearchParams(current);
  for (const [key, value] of Object.entries(patch)) {
    next.delete(key);
    if (typeof value === "string") {
      if (value !== "") next.set(key, value);
    } else if (value !== null) for (const one of value) next.append(key, one);
  }
  return next;
}

/** A range around a moment or an incident: a third before, so that normal is on the picture. */
export function rangeAround(startMs: number, endMs: number): TimeRange {
  const lengthMs = Math.max(endMs - startMs, 600_000);
  return { kind: "absolute", from: startMs - Math.max(lengthMs / 2, 300_000), to: endMs + 60_000 };
}

const shortUnit: Readonly<Record<string, string>> = { m: "min", h: "h", d: "d", s: "s" };

/** "Last 1 h", "Last 15 min". */
export function relativeName(lengthMs: number): string {
  return `Last ${formatDuration(lengthMs)
    .replaceAll(
      /(\d+)([a-z]+)/g,
      (_, count: string, unit: string) => `${count} ${shortUnit[unit] ?? unit} `,
    )
    .trim()}`;
}
