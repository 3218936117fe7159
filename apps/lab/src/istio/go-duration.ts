/** Go's duration text as Istio's objects use it ("5s", "1m30s", "0.5s", "250ms"), in milliseconds; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return text === "0" ? 0 : undefined;
  let totalMs = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ns|us|ms|s|m|h)/g)) {
    totalMs += Number(number) * (unitMs[unit ?? ""] ?? 0);
  }
  return totalMs;
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
