/** How the wanted rate moves over time. */
export const loadShapes = ["steady", "daily", "burst"] as const;
export type LoadShape = (typeof loadShapes)[number];

/** A day in ten minutes; a burst of ten seconds at four times the rate every minute. */
const dayMs = 600_000;
const burstEveryMs = 60_000;
const burstMs = 10_000;
const burstFactor = 4;

/** Requests a second wanted `elapsedMs` after the load began. */
export function rateAt(shape: LoadShape, rps: number, elapsedMs: number): number {
  switch (shape) {
    case "steady":
      return rps;
    case "daily": {
      // Lowest at the start (night), highest half a day later; between 30 % and 100 %.
      const phase = (2 * Math.PI * (elapsedMs % dayMs)) / dayMs;
      return rps * (0.65 - 0.35 * Math.cos(phase));
    }
    case "burst": {
      const within = elapsedMs % burstEveryMs;
      return within >= burstEveryMs - burstMs ? rps * burstFactor : rps;
    }
  }
}
