/**
 * OpenTelemetry's names as Prometheus writes them, by the strategy `UnderscoreEscapingWithSuffixes`: what a name may not hold
 * becomes `_`, the unit and `_total` are appended. Source: OpenTelemetry specification, "Prometheus and OpenMetrics
 * Compatibility"; prometheus/otlptranslator.
 */

export type NamedKind = "gauge" | "monotonic-sum" | "sum" | "histogram" | "summary";

const units: Readonly<Record<string, string>> = {
  d: "days",
  h: "hours",
  min: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  GiBy: "gibibytes",
  TiBy: "tibibytes",
  KBy: "kilobytes",
  MBy: "megabytes",
  GBy: "gigabytes",
  TBy: "terabytes",
  m: "meters",
  V: "volts",
  A: "amperes",
  J: "joules",
  W: "watts",
  g: "grams",
  Cel: "celsius",
  Hz: "hertz",
  "1": "",
  "%": "percent",
};

const perUnits: Readonly<Record<string, string>> = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  mo: "month",
  y: "year",
};

/** "" when nothing of the name is left. */
export function metricNameOf(name: string, unit: string, kind: NamedKind): string {
  const words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== "");
  for (const suffix of unitSuffixes(unit)) if (!words.includes(suffix)) words.push(suffix);
  if (kind === "monotonic-sum") moveToEnd(words, "total");
  if (kind === "gauge" && unit === "1") moveToEnd(words, "ratio");
  const joined = words.join("_");
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

function moveToEnd(words: string[], word: string): void {
  const others = words.filter((each) => each !== word);
  words.splice(0, words.length, ...others, word);
}

/** The unit's own suffix and that of what it is counted by: `By/s` is bytes, per_second. Annotations in {} say nothing. */
function unitSuffixes(unit: string): string[] {
  const slash = unit.indexOf("/");
  const main = unitWord(slash < 0 ? unit : unit.slice(0, slash), units);
  const per = slash < 0 ? "" : unitWord(unit.slice(slash + 1), perUnits);
  return [main, per === "" ? "" : `per_${per}`].filter((suffix) => suffix !== "");
}

function unitWord(unit: string, known: Readonly<Record<string, string>>): string {
  const plain = unit.trim();
  if (plain === "" || /[{}]/.test(plain)) return "";
  const word = Object.hasOwn(known, plain) ? (known[plain] ?? "") : plain;
  return word.replaceAll(/[^a-zA-Z0-9:]+/g, "_").replaceAll(/^_+|_+$/g, "");
}

/** What `# UNIT` would say. */
export function metricUnitOf(unit: string): string {
  return unitSuffixes(unit).join("_");
}

const labelNamesMax = 10_000;
const labelNames = new Map<string, string>();

/** An attribute's key as a label's name: `http.route` is `http_route`, `1st` is `key_1st`, `_id` is `key_id`. */
export function labelNameOf(key: string): string {
  const known = labelNames.get(key);
  if (known !== undefined) return known;
  const plain = key.replaceAll(/[^a-zA-Z0-9_]/g, "_");
  const name = /^\d/.test(plain) ? `key_${plain}` : /^_(?!_)/.test(plain) ? `key${plain}` : plain;
  if (labelNames.size >= labelNamesMax) labelNames.clear();
  labelNames.set(key, name);
  return name;
}

/** A bound or quantile without an exponent, in the fewest digits that say it exactly. */
export function plainFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const [mantissa = "0", exponentText = "0"] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(exponentText) + 1;
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return `${sign}${digits}${"0".repeat(point - digits.length)}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
