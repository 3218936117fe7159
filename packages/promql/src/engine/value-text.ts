/** Numbers as text. */

/** As Go's FormatFloat(v, 'f', -1, 64): never an exponent. */
export function formatFixed(value: number): string {
  const special = formatSpecial(value);
  if (special !== undefined) return special;
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign = "", lead = "", rest = "", exponent = "0"] = match;
  const digits = lead + rest;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, "0");
}

/** As Prometheus's HTTP API writes sample values: shortest, an exponent below 1e-6 and from 1e21 on. */
export function formatSampleValue(value: number): string {
  return formatSpecial(value) ?? String(value);
}

function formatSpecial(value: number): string | undefined {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return Object.is(value, -0) ? "-0" : undefined;
}

/** Seconds, with three decimals unless they are whole. */
export function formatTimestamp(timeMs: number): string {
  const size = Math.abs(timeMs);
  const fraction = size % 1000;
  const whole = `${timeMs < 0 ? "-" : ""}${Math.floor(size / 1000)}`;
  return fraction === 0 ? whole : `${whole}.${String(fraction).padStart(3, "0")}`;
}

/** A sample as Prometheus's HTTP API has it. */
export function formatPoint(timeMs: number, value: number): string {
  return `[${formatTimestamp(timeMs)},"${formatSampleValue(value)}"]`;
}
