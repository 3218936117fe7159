/** How values of a template are printed, and fmt.Sprintf. Source: Go strconv.FormatFloat, fmt. */
import { GoDuration, GoTime } from "./time.ts";

/** `%v` of a float64: shortest, with an exponent from 1e21 and below 1e-4. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) return goExponent(value.toExponential());
  return Object.is(value, -0) ? "-0" : String(value);
}

/** At least two digits. */
function goExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** `%.<digits>g`. */
export function formatGeneral(value: number, digits: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const exponential = value.toExponential(Math.max(0, digits - 1));
  const exponent = Number(/e([+-]\d+)$/.exec(exponential)?.[1] ?? 0);
  if (exponent < -4 || exponent >= Math.max(1, digits)) {
    const [mantissa = "", power = ""] = exponential.split("e");
    const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return goExponent(`${short}e${power}`);
  }
  const fixed = value.toFixed(Math.max(0, digits - 1 - exponent));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** Go's truth: not the zero value of its type, not an empty collection. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof GoTime || value instanceof GoDuration) return true;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value) || Number.isNaN(value);
}

/** As `{{ }}` and `%v` print it. */
export function printValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return formatFloat(value);
    case "boolean":
    case "bigint":
      return String(value);
    case "object": {
      if (value === null) return "<no value>";
      if (value instanceof GoTime || value instanceof GoDuration) return value.toString();
      if (Array.isArray(value)) return `[${value.map(printValue).join(" ")}]`;
      const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
      return `map[${entries.map(([key, each]) => `${key}:${printValue(each)}`).join(" ")}]`;
    }
    default:
      return "<no value>";
  }
}

const verb = /%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g;
const widthMax = 1000;

/** The verbs v s q d f F e g t x X c and %. */
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
      return padded(body, flags, Math.min(Number(width ?? 0), widthMax));
    },
  );
  const extra = args.slice(next).map((arg) => `${goType(arg)}=${printValue(arg)}`);
  return extra.length > 0 ? `${text}%!(EXTRA ${extra.join(", ")})` : text;
}

function padded(body: string, flags: string, width: number): string {
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
      return digits === undefined
        ? printValue(arg)
        : Array.from(printValue(arg)).slice(0, digits).join("");
    case "q":
      return JSON.stringify(printValue(arg));
    case "t":
      return typeof arg === "boolean" ? String(arg) : wrong;
    default:
  }
  if ((letter === "x" || letter === "X") && typeof arg === "string") {
    const hex = Array.from(new TextEncoder().encode(arg), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
    return letter === "x" ? hex : hex.toUpperCase();
  }
  if (typeof arg !== "number") return wrong;
  const sign = flags.includes("+") && arg >= 0 ? "+" : "";
  return sign + formatNumber(letter, arg, Math.min(digits ?? -1, 100), wrong);
}

/** `digits` −1: as many as the verb has by itself. */
function formatNumber(letter: string, value: number, digits: number, wrong: string): string {
  if (letter === "f" || letter === "F")
    return Number.isFinite(value) ? value.toFixed(digits < 0 ? 6 : digits) : formatFloat(value);
  if (letter === "e")
    return Number.isFinite(value)
      ? goExponent(value.toExponential(digits < 0 ? 6 : digits))
      : formatFloat(value);
  if (letter === "g") return digits < 0 ? formatFloat(value) : formatGeneral(value, digits);
  if (!Number.isInteger(value)) return wrong;
  if (letter === "d") return value.toFixed(0);
  if (letter === "c")
    return value >= 0 && value <= 0x10ffff ? String.fromCodePoint(value) : "\ufffd";
  if (letter === "x") return value.toString(16);
  return letter === "X" ? value.toString(16).toUpperCase() : wrong;
}

function goType(arg: unknown): string {
  if (arg === undefined || arg === null) return "<nil>";
  if (typeof arg === "number") return Number.isInteger(arg) ? "int" : "float64";
  if (typeof arg === "boolean") return "bool";
  if (arg instanceof GoTime) return "time.Time";
  if (arg instanceof GoDuration) return "time.Duration";
  return typeof arg === "string" ? "string" : "map[string]interface {}";
}
