/**
 * Numbers straight from bytes. Values of up to 15 significant digits and a small exponent are exact in one multiplication
 * or division (both operands are exact doubles); the rest goes through the runtime's own correctly rounded parser.
 */

const exactPowers = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const significantDigitsMax = 15;
const real = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const infinite = /^([+-]?)inf(?:inity)?$/i;
const zero = 48;
const nine = 57;

/** Reads `bytes[start, end)` as a decimal number, NaN or ±Inf (any case). Undefined when it is none of these. */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  const sign = bytes[at];
  if (sign === 45 || sign === 43) at++;
  let mantissa = 0;
  let significant = 0;
  let digits = 0;
  let fraction = 0;
  let dotted = false;
  for (; at < end; at++) {
    const c = bytes[at] ?? 0;
    if (c >= zero && c <= nine) {
      digits++;
      if (significant > 0 || c !== zero) significant++;
      if (dotted) fraction++;
      mantissa = mantissa * 10 + (c - zero);
    } else if (c === 46 && !dotted) dotted = true;
    else break;
  }
  if (at !== end || digits === 0 || significant > significantDigitsMax || fraction > 22)
    return parseSlowly(bytes, start, end);
  const value = fraction === 0 ? mantissa : mantissa / (exactPowers[fraction] ?? Number.NaN);
  return sign === 45 ? -value : value;
}

function parseSlowly(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start > 400 || end <= start) return undefined;
  return parseNumberText(String.fromCharCode(...bytes.subarray(start, end)));
}

/** As `parseNumber`, for text. */
export function parseNumberText(text: string): number | undefined {
  if (real.test(text)) return Number(text);
  const infinity = infinite.exec(text);
  if (infinity) return infinity[1] === "-" ? -Infinity : Infinity;
  return /^nan$/i.test(text) ? Number.NaN : undefined;
}

/** Writes a bucket bound or quantile as OpenMetrics does ("1" → "1.0"), so that both formats make the same series. */
export function canonicalFloat(text: string): string {
  const value = parseNumberText(text);
  if (value === undefined) return text;
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -4 || exponent >= 21) {
    // Go's %g: at least two digits of exponent.
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  const plain = decimal(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

/** Shortest decimal without an exponent, for 1e-5 ≤ |value| < 1e21. */
function decimal(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e-(\d+)$/.exec(text);
  if (!match) return text;
  const zeros = "0".repeat(Number(match[4]) - 1);
  return `${match[1] ?? ""}0.${zeros}${match[2] ?? ""}${match[3] ?? ""}`;
}
