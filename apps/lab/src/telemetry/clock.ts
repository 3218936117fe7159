/** Wall time with the resolution spans need: Unix milliseconds with a fraction, never going back within a process. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Unix milliseconds as OTLP writes times: nanoseconds in decimal digits. */
export function nanosText(timeMs: number): string {
  const whole = Math.floor(timeMs);
  return `${whole}${String(Math.floor((timeMs - whole) * 1e6)).padStart(6, "0")}`;
}
