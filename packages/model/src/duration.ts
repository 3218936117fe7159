import { SkoposError } from "./errors.ts";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

const pattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const order = ["y", "w", "d", "h", "m", "s", "ms"] as const;

/** Reads a Prometheus duration ("1h30m", "5s", "0") as milliseconds. Throws `bad-duration`. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const match = pattern.exec(text);
  if (text === "" || !match) {
    throw new SkoposError(
      "bad-duration",
      `not a duration: ${JSON.stringify(text)} (like 30s, 5m or 1h30m)`,
    );
  }
  return order.reduce((sum, unit, i) => sum + Number(match[i + 1] ?? 0) * (unitMs[unit] ?? 0), 0);
}

/** Writes milliseconds as Prometheus does: 5400000 → "1h30m". */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  let rest = Math.round(Math.abs(durationMs));
  let text = durationMs < 0 ? "-" : "";
  for (const unit of order) {
    const size = unitMs[unit] ?? 1;
    // Years and weeks are written only when nothing is left over, as upstream does.
    if ((unit === "y" || unit === "w") && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count > 0) {
      text += `${count}${unit}`;
      rest -= count * size;
    }
  }
  return text;
}
