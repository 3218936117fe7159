/** Moments in templates: Go's time.Time, with its layouts for printing and reading. Source: Go time/format.go. */
import { TemplateError } from "./error.ts";

const nsPerSecond = 1_000_000_000n;
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const layoutPart =
  /January|Jan|Monday|Mon|MST|2006|Z07:00|Z0700|Z07|-07:00|-0700|-07|[.,](?:0+|9+)(?!\d)|002|01|02|03|04|05|06|15|PM|pm|_2|1|2|3|4|5/g;

/** A time.Duration, printed like `1h2m3.5s`. */
export class GoDuration {
  readonly seconds: number;

  constructor(seconds: number) {
    this.seconds = seconds;
  }

  toString(): string {
    const sign = this.seconds < 0 ? "-" : "";
    const size = Math.abs(this.seconds);
    if (size === 0) return "0s";
    if (size < 1e-6) return `${sign}${toNanos(size * 1e9)}ns`;
    if (size < 1e-3) return `${sign}${toNanos(size * 1e6)}µs`;
    if (size < 1) return `${sign}${toNanos(size * 1e3)}ms`;
    const hours = Math.floor(size / 3600);
    const minutes = Math.floor((size % 3600) / 60);
    const rest = `${toNanos(size % 60)}s`;
    if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`;
    return minutes > 0 ? `${sign}${minutes}m${rest}` : `${sign}${rest}`;
  }
}

/** Without the noise of binary fractions. */
function toNanos(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}

export class GoTime {
  readonly ns: bigint;
  readonly offsetSeconds: number;

  constructor(ns: bigint, offsetSeconds = 0) {
    this.ns = ns;
    this.offsetSeconds = offsetSeconds;
  }

  toString(): string {
    return this.format("2006-01-02 15:04:05.999999999 -0700 MST");
  }

  /** Clock and calendar at the place's own offset. */
  get local(): Date {
    return new Date(Number(floorDiv(this.ns, 1_000_000n)) + this.offsetSeconds * 1000);
  }

  format(layout: string): string {
    const date = this.local;
    const nanos = String(((this.ns % nsPerSecond) + nsPerSecond) % nsPerSecond).padStart(9, "0");
    return layout.replaceAll(layoutPart, (part) => this.#part(part, date, nanos));
  }

  #part(part: string, date: Date, nanos: string): string {
    const hour = date.getUTCHours();
    switch (part) {
      case "2006":
        return String(date.getUTCFullYear()).padStart(4, "0");
      case "06":
        return two(date.getUTCFullYear() % 100);
      case "January":
        return months[date.getUTCMonth()] ?? "";
      case "Jan":
        return (months[date.getUTCMonth()] ?? "").slice(0, 3);
      case "01":
        return two(date.getUTCMonth() + 1);
      case "1":
        return String(date.getUTCMonth() + 1);
      case "Monday":
        return days[date.getUTCDay()] ?? "";
      case "Mon":
        return (days[date.getUTCDay()] ?? "").slice(0, 3);
      case "02":
        return two(date.getUTCDate());
      case "_2":
        return String(date.getUTCDate()).padStart(2);
      case "2":
        return String(date.getUTCDate());
      case "002":
        return String(dayOfYear(date)).padStart(3, "0");
      case "15":
        return two(hour);
      case "03":
        return two(hour % 12 || 12);
      case "3":
        return String(hour % 12 || 12);
      case "04":
        return two(date.getUTCMinutes());
      case "4":
        return String(date.getUTCMinutes());
      case "05":
        return two(date.getUTCSeconds());
      case "5":
        return String(date.getUTCSeconds());
      case "PM":
        return hour < 12 ? "AM" : "PM";
      case "pm":
        return hour < 12 ? "am" : "pm";
      case "MST":
        return this.offsetSeconds === 0 ? "UTC" : this.#offset("");
      default:
    }
    if (part.startsWith("Z")) return this.offsetSeconds === 0 ? "Z" : this.#offset(part.slice(1));
    if (part.startsWith("-")) return this.#offset(part.slice(1));
    const fraction = nanos.slice(0, part.length - 1);
    if (part[1] === "0") return part.charAt(0) + fraction;
    const short = fraction.replace(/0+$/, "");
    return short === "" ? "" : part.charAt(0) + short;
  }

  /** `form` is 07, 0700 or 07:00. */
  #offset(form: string): string {
    const minutes = Math.abs(Math.trunc(this.offsetSeconds / 60));
    const sign = this.offsetSeconds < 0 ? "-" : "+";
    const hours = sign + two(Math.trunc(minutes / 60));
    if (form === "07") return hours;
    return `${hours}${form.includes(":") ? ":" : ""}${two(minutes % 60)}`;
  }
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function floorDiv(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}

function dayOfYear(date: Date): number {
  return (
    Math.round((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000 - 0.5) + 1
  );
}

const readers: Readonly<Record<string, string>> = {
  "2006": "(?<year>\\d{4})",
  "06": "(?<shortYear>\\d{2})",
  January: `(?<monthName>${months.join("|")})`,
  Jan: `(?<monthShort>${months.map((name) => name.slice(0, 3)).join("|")})`,
  "01": "(?<month>\\d{2})",
  "1": "(?<month>\\d{1,2})",
  Monday: `(?:${days.join("|")})`,
  Mon: `(?:${days.map((name) => name.slice(0, 3)).join("|")})`,
  "02": "(?<day>\\d{2})",
  _2: "\\s?(?<day>\\d{1,2})",
  "2": "(?<day>\\d{1,2})",
  "15": "(?<hour>\\d{2})",
  "03": "(?<hour>\\d{2})",
  "3": "(?<hour>\\d{1,2})",
  "04": "(?<minute>\\d{2})",
  "4": "(?<minute>\\d{1,2})",
  "05": "(?<second>\\d{2})",
  "5": "(?<second>\\d{1,2})",
  PM: "(?<half>AM|PM)",
  pm: "(?<half>am|pm)",
  MST: "(?:[A-Z]{3,5})",
};

function readerOf(layout: string): RegExp {
  let source = "";
  let at = 0;
  for (const match of layout.matchAll(layoutPart)) {
    const [part] = match;
    source += escaped(layout.slice(at, match.index));
    at = match.index + part.length;
    if (part.startsWith("Z")) source += "(?<zone>Z|[-+]\\d{2}:?(?:\\d{2})?)";
    else if (part.startsWith("-")) source += "(?<zone>[-+]\\d{2}:?(?:\\d{2})?)";
    else if (/^[.,]/.test(part)) source += "(?:[.,](?<fraction>\\d+))?";
    else source += readers[part] ?? "\\d+";
    // Go reads a fraction after the seconds whether the layout has one or not.
    if ((part === "05" || part === "5") && !/^[.,][09]/.test(layout.slice(at)))
      source += "(?:[.,](?<fraction>\\d+))?";
  }
  return new RegExp(`^${source}${escaped(layout.slice(at))}$`);
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** Throws `TemplateError`. */
export function parseTime(layout: string, text: string, zoneSeconds = 0): GoTime {
  let found: Record<string, string | undefined> | undefined;
  try {
    found = readerOf(layout).exec(text)?.groups;
  } catch {
    throw new TemplateError(`not a layout of a time: ${JSON.stringify(layout)}`);
  }
  if (!found)
    throw new TemplateError(`cannot read ${JSON.stringify(text)} as ${JSON.stringify(layout)}`);
  const year =
    found["year"] !== undefined
      ? Number(found["year"])
      : found["shortYear"] !== undefined
        ? Number(found["shortYear"]) + (Number(found["shortYear"]) >= 69 ? 1900 : 2000)
        : 0;
  const name = found["monthName"] ?? found["monthShort"];
  const month = name
    ? months.findIndex((one) => one.startsWith(name))
    : Number(found["month"] ?? 1) - 1;
  const half = found["half"]?.toLowerCase();
  const hour = Number(found["hour"] ?? 0);
  const hour24 = half === undefined ? hour : (hour % 12) + (half === "pm" ? 12 : 0);
  const date = new Date(0);
  date.setUTCFullYear(year, month, Number(found["day"] ?? 1));
  date.setUTCHours(hour24, Number(found["minute"] ?? 0), Number(found["second"] ?? 0));
  const offset = found["zone"] === undefined ? zoneSeconds : offsetOf(found["zone"]);
  const nanos = BigInt((found["fraction"] ?? "").slice(0, 9).padEnd(9, "0"));
  return new GoTime(BigInt(date.getTime() - offset * 1000) * 1_000_000n + nanos, offset);
}

function offsetOf(zone: string): number {
  if (zone === "Z") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return (
    sign * (Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(3).replace(":", "") || 0) * 60)
  );
}

/** Seconds east of UTC of a named zone, about the time `atMs`. Throws `TemplateError`. */
export function zoneOffset(zone: string, atMs: number): number {
  try {
    const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    const name = parts.formatToParts(atMs).find(({ type }) => type === "timeZoneName")?.value ?? "";
    const match = /GMT([-+]\d{2}:\d{2})/.exec(name);
    return match ? offsetOf(match[1] ?? "Z") : 0;
  } catch {
    throw new TemplateError(`unknown time zone ${zone}`);
  }
}
