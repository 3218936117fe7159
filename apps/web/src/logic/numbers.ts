/**
 * Numbers as people say them, with the exact value for whoever hovers. `null` means "not measured" and is written
 * as a dash, never as zero.
 */
const unmeasured = "–";

export type Unit = "per-second" | "ms" | "ratio" | "bytes" | "bytes-per-second" | "count" | "cores";

interface Said {
  readonly text: string;
  /** The full value with its unit. */
  readonly exact: string;
}

/** Three significant digits at most, without trailing zeros. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return "0";
  const text = value.toPrecision(digits);
  if (text.includes("e")) return Number(text).toString();
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

const decimal = ["", "k", "M", "G", "T"];
const binary = ["B", "KiB", "MiB", "GiB", "TiB"];

function scaled(value: number, base: number, names: readonly string[]): [number, string] {
  let rest = Math.abs(value);
  let step = 0;
  // 999.6 would round to "1000": it belongs to the next step.
  while (rest >= base * 0.9995 && step < names.length - 1) {
    rest /= base;
    step++;
  }
  return [value < 0 ? -rest : rest, names[step] ?? ""];
}

function short(value: number): string {
  const [rest, suffix] = scaled(value, 1000, decimal);
  if (suffix === "" && Number.isInteger(rest)) return `${rest}`;
  return `${significant(rest, Math.abs(rest) < 1 ? 2 : 3)}${suffix}`;
}

export function formatCount(value: number): string {
  return short(value);
}

export function formatRate(perSecond: number): string {
  if (perSecond > 0 && perSecond < 0.01) return "<0.01/s";
  return `${short(perSecond)}/s`;
}

export function formatMs(ms: number): string {
  const size = Math.abs(ms);
  if (size === 0) return "0 ms";
  if (size < 0.001) return `${significant(ms * 1e6, 2)} ns`;
  if (size < 1) return `${significant(ms * 1000, 3)} µs`;
  if (size < 10) return `${significant(ms, 2)} ms`;
  if (size < 999.5) return `${Math.round(ms)} ms`;
  if (size < 59_950) return `${significant(ms / 1000, 3)} s`;
  return formatSpan(ms);
}

/** A length of time in at most two units: "3 min 20 s", "2 h 5 min", "4 d". */
export function formatSpan(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const sign = ms < 0 && seconds > 0 ? "-" : "";
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor((seconds % 86_400) / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  const said = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return sign + said.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

export function formatRatio(ratio: number): string {
  const percent = ratio * 100;
  if (percent === 0) return "0 %";
  if (percent > 0 && percent < 0.01) return "<0.01 %";
  if (percent > 99.99 && percent < 100) return ">99.99 %";
  if (percent >= 10) return `${Math.round(percent * 10) / 10} %`;
  return `${significant(percent, 2)} %`;
}

export function formatBytes(bytes: number): string {
  const [rest, suffix] = scaled(bytes, 1024, binary);
  return `${suffix === "B" ? Math.round(rest) : significant(rest, 3)} ${suffix}`;
}

function formatCores(cores: number): string {
  return cores < 1 ? `${significant(cores * 1000, 3)}m CPU` : `${significant(cores, 3)} CPU`;
}

const exactUnit: Readonly<Record<Unit, string>> = {
  "per-second": "per second",
  ms: "ms",
  ratio: "of all",
  bytes: "bytes",
  "bytes-per-second": "bytes per second",
  count: "",
  cores: "CPU cores",
};

/** Writes a value of a unit; absent and not-a-number values are said to be unmeasured. */
export function say(value: number | null | undefined, unit: Unit): Said {
  if (value === null || value === undefined || Number.isNaN(value))
    return { text: unmeasured, exact: "not measured" };
  if (!Number.isFinite(value)) return { text: value > 0 ? "∞" : "-∞", exact: "infinite" };
  const exact = `${value} ${exactUnit[unit]}`.trim();
  switch (unit) {
    case "per-second":
      return { text: formatRate(value), exact };
    case "ms":
      return { text: formatMs(value), exact };
    case "ratio":
      return { text: formatRatio(value), exact: `${value * 100} %` };
    case "bytes":
      return { text: formatBytes(value), exact };
    case "bytes-per-second":
      return { text: `${formatBytes(value)}/s`, exact };
    case "cores":
      return { text: formatCores(value), exact };
    default:
      return { text: formatCount(value), exact };
  }
}

/** "1 span", "2 spans". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
