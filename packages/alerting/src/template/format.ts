/** Go's number formatting and fmt verbs, as templates show values. Source: Go strconv.FormatFloat, fmt. */
import { TemplateError } from "./error.ts";

/** `%v` of a float64: shortest, exponent from 1e21 and below 1e-4. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e21) return twoDigitExponent(value.toExponential());
  return plainDecimal(value);
}

function twoDigitExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** JS writes an exponent from 1e-7 down; here only sizes from 1e-4 arrive. */
function plainDecimal(value: number): string {
  return String(value);
}

/** `%.<digits>g`. */
export function formatGeneral(value: number, digits: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const exponential = value.toExponential(Math.max(0, digits - 1));
  const exponent = Number(/e([+-]\d+)$/.exec(exponential)?.[1] ?? 0);
  if (exponent < -4 || exponent >= Math.max(1, digits)) {
    const [mantissa = "", power = ""] = exponential.split("e");
    const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return twoDigitExponent(`${short}e${power}`);
  }
  const fixed = value.toFixed(Math.max(0, digits - 1 - exponent));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** A moment, printed as Go prints a time in UTC. */
export class TemplateTime {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }

  toString(): string {
    const iso = new Date(this.ms).toISOString();
    const fraction = iso.slice(19, -1).replace(/\.?0+$/, "");
    return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction} +0000 UTC`;
  }
}

/** A time.Duration: `1h2m3.5s`. */
export class TemplateDuration {
  readonly seconds: number;

  constructor(seconds: number) {
    this.seconds = seconds;
  }

  toString(): string {
    const sign = this.seconds < 0 ? "-" : "";
    const size = Math.abs(this.seconds);
    if (size === 0) return "0s";
    if (size < 1e-6) return `${sign}${formatFloat(round(size * 1e9))}ns`;
    if (size < 1e-3) return `${sign}${formatFloat(round(size * 1e6))}µs`;
    if (size < 1) return `${sign}${formatFloat(round(size * 1e3))}ms`;
    const hours = Math.floor(size / 3600);
    const minutes = Math.floor((size % 3600) / 60);
    const rest = `${formatFloat(round(size % 60))}s`;
    if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`;
    return minutes > 0 ? `${sign}${minutes}m${rest}` : `${sign}${rest}`;
  }
}

function round(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}

/** How a value is printed by `{{ }}` and `%v`. */
export function printValue(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (typeof value === "string") return value;
  if (typeof value === "number") return formatFloat(value);
  if (typeof value === "boolean") return String(value);
  if (value instanceof TemplateTime || value instanceof TemplateDuration) return value.toString();
  if (Array.isArray(value)) return `[${value.map(printValue).join(" ")}]`;
  if (typeof value !== "object") return "<no value>";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, each]) => `${key}:${printValue(each)}`).join(" ")}]`;
}

const verb = /%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g;

/** Go's fmt.Sprintf for the verbs v s q d f F e g t x X c U and %. */
export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0;
  const text = format.replaceAll(
    verb,
    (
      _,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      letter: string,
    ) => {
      if (letter === "%") return "%";
      if (next >= args.length) return `%!${letter}(MISSING)`;
      const digits = precision === undefined ? undefined : Number(precision);
      const body = formatVerb(letter, args[next++], digits, flags);
      return pad(body, flags, Math.min(Number(width ?? 0), 1000));
    },
  );
  const extra = args.slice(next).map((arg) => `${goType(arg)}=${printValue(arg)}`);
  return extra.length > 0 ? `${text}%!(EXTRA ${extra.join(", ")})` : text;
}

function pad(body: string, flags: string, width: number): string {
  if (flags.includes("-")) return body.padEnd(width);
  if (!flags.includes("0")) return body.padStart(width);
  const sign = /^[+-]/.exec(body)?.[0] ?? "";
  return sign + body.slice(sign.length).padStart(width - sign.length, "0");
}

function formatVerb(
  letter: string,
  arg: unknown,
  digits: number | undefined,
  flags: string,
): string {
  const wrong = `%!${letter}(${goType(arg)}=${printValue(arg)})`;
  switch (letter) {
    case "v":
      return printValue(arg);
    case "s":
      if (typeof arg === "number" || typeof arg === "boolean") return wrong;
      return digits === undefined ? printValue(arg) : printValue(arg).slice(0, digits);
    case "q":
      return JSON.stringify(printValue(arg));
    case "t":
      return typeof arg === "boolean" ? String(arg) : wrong;
    default:
  }
  if (letter === "x" && typeof arg === "string") return Buffer.from(arg).toString("hex");
  if (typeof arg !== "number") return wrong;
  const sign = flags.includes("+") && arg >= 0 ? "+" : "";
  return sign + formatNumber(letter, arg, digits, wrong);
}

function formatNumber(
  letter: string,
  value: number,
  digits: number | undefined,
  wrong: string,
): string {
  const isWhole = Number.isInteger(value);
  switch (letter) {
    case "d":
      return isWhole ? value.toFixed(0) : wrong;
    case "f":
    case "F":
      return Number.isFinite(value)
        ? value.toFixed(Math.min(digits ?? 6, 100))
        : formatFloat(value);
    case "e":
      return Number.isFinite(value)
        ? twoDigitExponent(value.toExponential(Math.min(digits ?? 6, 100)))
        : formatFloat(value);
    case "g":
      return digits === undefined
        ? formatFloat(value)
        : formatGeneral(value, Math.min(digits, 100));
    case "x":
    case "X": {
      if (!isWhole) return wrong;
      const hex = value.toString(16);
      return letter === "x" ? hex : hex.toUpperCase();
    }
    default:
      return wrong;
  }
}

function goType(arg: unknown): string {
  if (arg === undefined || arg === null) return "<nil>";
  if (typeof arg === "number") return "float64";
  if (typeof arg === "boolean") return "bool";
  return typeof arg === "string" ? "string" : "map[string]interface {}";
}

/** Throws unless `value` is a number or the text of one. */
export function toNumber(value: unknown, what: string): number {
  if (typeof value === "number") return value;
  if (value instanceof TemplateDuration) return value.seconds;
  if (typeof value === "string" && value.trim() !== "") {
    const infinite = /^([+-]?)inf$/i.exec(value);
    if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
    const number = Number(value);
    if (!Number.isNaN(number) || /^nan$/i.test(value)) return number;
  }
  throw new TemplateError(`${what}: can't convert ${printValue(value)} to float`);
}
