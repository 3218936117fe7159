/**
 * Hold to confirm: an action starts only when a key or pointer was kept down for a while, and letting go, losing
 * focus or a second key takes it back. Pure, so that time is the caller's.
 */
export type Hold =
  | { readonly state: "idle" }
  | { readonly state: "holding"; readonly by: "pointer" | "key"; readonly sinceMs: number }
  | { readonly state: "done" };

export type HoldEvent =
  | { readonly type: "press"; readonly by: "pointer" | "key"; readonly atMs: number }
  | { readonly type: "release" }
  | { readonly type: "tick"; readonly atMs: number }
  | { readonly type: "reset" };

export const holdMs = 1200;

export const idle: Hold = { state: "idle" };

export function nextHold(hold: Hold, event: HoldEvent): Hold {
  switch (event.type) {
    case "press":
      // Key repeat sends press after press: the first one counts.
      return hold.state === "idle" ? { state: "holding", by: event.by, sinceMs: event.atMs } : hold;
    case "release":
      return hold.state === "holding" ? idle : hold;
    case "tick":
      return hold.state === "holding" && event.atMs - hold.sinceMs >= holdMs
        ? { state: "done" }
        : hold;
    default:
      return idle;
  }
}

/** 0 to 1. */
export function holdProgress(hold: Hold, nowMs: number): number {
  if (hold.state === "done") return 1;
  if (hold.state === "idle") return 0;
  return Math.min(1, Math.max(0, (nowMs - hold.sinceMs) / holdMs));
}
