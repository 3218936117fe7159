/** Moments as people say them. Zones are always explicit. */
import { formatSpan } from "./numbers.ts";

/** "just now", "42 s ago", "3 min ago", "2 d ago"; "in 5 min" for what lies ahead. */
export function formatAgo(atMs: number, nowMs: number): string {
  const gapMs = nowMs - atMs;
  if (Math.abs(gapMs) < 5000) return "just now";
  const size = Math.abs(gapMs);
  const [count, unit] =
    size < 60_000
      ? [Math.floor(size / 1000), "s"]
      : size < 3_600_000
        ? [Math.floor(size / 60_000), "min"]
        : size < 86_400_000
          ? [Math.floor(size / 3_600_000), "h"]
          : [Math.floor(size / 86_400_000), "d"];
  return gapMs > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  // At most one per kind below; making one costs milliseconds.
  const known = formats.get(kind);
  if (known) return known;
  const made = new Intl.DateTimeFormat("en-GB", options);
  formats.set(kind, made);
  return made;
}

/** "03:07:12". */
export function clockTime(atMs: number): string {
  return format("clock", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(atMs);
}

/** "03:07:12.345", for log lines. */
export function clockTimeMs(atMs: number): string {
  return format("clock-ms", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  }).format(atMs);
}

/** "21 Nov 2026, 03:07:12 UTC+1". */
export function fullTime(atMs: number): string {
  return format("full", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  }).format(atMs);
}

/** What an input of type datetime-local wants: local time without a zone. */
export function localInput(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}

/** "20 Nov". */
export function dayName(atMs: number): string {
  return format("day", { day: "numeric", month: "short" }).format(atMs);
}

/** "03:07" today, "20 Nov 03:07" on another day. */
export function briefTime(atMs: number, nowMs: number): string {
  const sameDay = new Date(atMs).toDateString() === new Date(nowMs).toDateString();
  const time = format("brief", { hour: "2-digit", minute: "2-digit" }).format(atMs);
  return sameDay ? time : `${dayName(atMs)} ${time}`;
}

/** The reader's zone: "UTC+1". */
export function zoneName(): string {
  const part = format("full", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  })
    .formatToParts(0)
    .find(({ type }) => type === "timeZoneName");
  return part?.value ?? "local time";
}

/** "4 min 12 s", from a start to an end that may still be running. */
export function lasted(startMs: number, endMs: number | null, nowMs: number): string {
  return formatSpan((endMs ?? nowMs) - startMs);
}

/** Decimal nanoseconds as milliseconds; exact enough for a clock. */
export function nsToMs(ns: string): number {
  return Number(BigInt(ns) / 1000n) / 1000;
}
