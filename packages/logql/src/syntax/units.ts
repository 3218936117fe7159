/** Numbers with units, as Go and Loki read them. Each gives undefined for what is not one. */

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};
const longUnits: Readonly<Record<string, number>> = {
  ...durationUnits,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};
const durationPart = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w|y)/y;

/** Go's time.ParseDuration, in seconds; `long` allows days, weeks and years as queries do. */
export function parseSeconds(text: string, long = false): number | undefined {
  const units = long ? longUnits : durationUnits;
  const sign = text.startsWith("-") ? -1 : 1;
  let at = /^[-+]/.test(text) ? 1 : 0;
  if (text.slice(at) === "0") return 0;
  if (at >= text.length) return undefined;
  let seconds = 0;
  while (at < text.length) {
    durationPart.lastIndex = at;
    const match = durationPart.exec(text);
    const unit = units[match?.[2] ?? ""];
    if (!match || unit === undefined) return undefined;
    seconds += scaled(Number(match[1]), unit);
    at = durationPart.lastIndex;
  }
  return sign * seconds;
}

/** Division keeps 500ms at 0.5 where multiplying by 1e-3 may not. */
function scaled(amount: number, unit: number): number {
  return unit < 1 ? amount / Math.round(1 / unit) : amount * unit;
}

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 1024,
  ki: 1024,
  m: 1e6,
  mb: 1e6,
  mib: 1024 ** 2,
  mi: 1024 ** 2,
  g: 1e9,
  gb: 1e9,
  gib: 1024 ** 3,
  gi: 1024 ** 3,
  t: 1e12,
  tb: 1e12,
  tib: 1024 ** 4,
  ti: 1024 ** 4,
  p: 1e15,
  pb: 1e15,
  pib: 1024 ** 5,
  pi: 1024 ** 5,
  e: 1e18,
  eb: 1e18,
  eib: 1024 ** 6,
  ei: 1024 ** 6,
};

/** `1.5KB`, `2,048`, `3 MiB`; whole bytes. Source: dustin/go-humanize. */
export function parseBytes(text: string): number | undefined {
  const match = /^([\d.,]+)\s*([a-zA-Z]*)\s*$/.exec(text);
  if (!match) return undefined;
  const amount = match[1]?.replaceAll(",", "") ?? "";
  const unit = byteUnits[(match[2] ?? "").toLowerCase()];
  if (unit === undefined || !/^(\d+\.?\d*|\.\d+)$/.test(amount)) return undefined;
  return Math.trunc(Number(amount) * unit);
}

const decimal = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const hexFloat = /^([-+]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([-+]?\d+)$/;

/** Go's strconv.ParseFloat: decimals, hex floats with an exponent, Inf and NaN in any case. */
export function parseFloat64(text: string): number | undefined {
  if (decimal.test(text)) return Number(text);
  const special = /^([-+]?)(inf|infinity|nan)$/i.exec(text);
  if (special) {
    if (special[2]?.toLowerCase() === "nan") return special[1] ? undefined : Number.NaN;
    return special[1] === "-" ? -Infinity : Infinity;
  }
  const hex = hexFloat.exec(text);
  if (!hex) return undefined;
  const [, sign, whole = "", fraction = "", exponent] = hex;
  if (whole + fraction === "") return undefined;
  const mantissa = Number.parseInt(`${whole}${fraction}`, 16) / 16 ** fraction.length;
  return (sign === "-" ? -1 : 1) * mantissa * 2 ** Number(exponent);
}
