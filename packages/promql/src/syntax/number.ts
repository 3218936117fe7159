/** Numbers and durations as PromQL writes them. */

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};
const unitOrder = ["y", "w", "d", "h", "m", "s", "ms"];

/** Milliseconds of "1h30m"; undefined when units repeat or are out of order. */
export function durationTextMs(text: string): number | undefined {
  let total = 0;
  let last = -1;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[ywdhms])/g)) {
    const order = unitOrder.indexOf(unit ?? "");
    if (order <= last) return undefined;
    last = order;
    total += Number(count) * (unitMs[unit ?? ""] ?? 0);
  }
  return total;
}

/** "0x1F", "1_000", ".5e3", "Inf", "NaN". Octal "0755" as Go reads it. */
export function parseNumberText(text: string): number {
  const plain = text.replaceAll("_", "").toLowerCase();
  if (plain === "nan") return NaN;
  if (plain === "inf" || plain === "+inf") return Infinity;
  if (plain === "-inf") return -Infinity;
  if (/^0[0-7]+$/.test(plain)) return parseInt(plain, 8);
  return Number(plain);
}

/** Shortest text that reads back as the same number, as Go's %v writes it; -0 keeps its sign. */
export function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  if (Object.is(value, -0)) return "-0";
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}
