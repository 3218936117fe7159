/**
 * Where counts stand out: the stretch of buckets in which events are most improbably frequent for their exposure, by the scan
 * statistic of Kulldorff (1997, "A spatial scan statistic"), in one dimension and with Poisson counts.
 */

export interface Rise {
  /** Buckets from ≤ i < to. */
  readonly from: number;
  readonly to: number;
  /** Events and exposure inside, and outside. */
  readonly inside: readonly [events: number, exposure: number];
  readonly outside: readonly [events: number, exposure: number];
  /** Logarithm of how much better "more often here" explains the counts than "always alike". */
  readonly score: number;
}

/** Below it the stretch may be chance: with 120 buckets some 7,000 stretches are compared. */
const scoreMin = 12;
const eventsMin = 5;
const timesMin = 2.5;

/** Undefined when nothing stands out, or there is nothing to compare with. Events count as exposure where there is less. */
export function findRise(events: ArrayLike<number>, exposure: ArrayLike<number>): Rise | undefined {
  const buckets = events.length;
  const eventSums = new Float64Array(buckets + 1);
  const exposureSums = new Float64Array(buckets + 1);
  for (let i = 0; i < buckets; i++) {
    const seen = events[i] ?? 0;
    eventSums[i + 1] = (eventSums[i] ?? 0) + seen;
    exposureSums[i + 1] = (exposureSums[i] ?? 0) + Math.max(exposure[i] ?? 0, seen);
  }
  const allEvents = eventSums[buckets] ?? 0;
  const allExposure = exposureSums[buckets] ?? 0;
  let best: Rise | undefined;
  for (let from = 0; from < buckets; from++) {
    // A stretch begins and ends with an event.
    if ((events[from] ?? 0) === 0) continue;
    for (let to = from + 1; to <= buckets; to++) {
      if ((events[to - 1] ?? 0) === 0) continue;
      const seen = (eventSums[to] ?? 0) - (eventSums[from] ?? 0);
      const exposed = (exposureSums[to] ?? 0) - (exposureSums[from] ?? 0);
      const score = scoreOf(seen, exposed, allEvents, allExposure);
      if (score <= (best?.score ?? scoreMin) || seen < eventsMin) continue;
      best = {
        from,
        to,
        inside: [seen, exposed],
        outside: [allEvents - seen, allExposure - exposed],
        score,
      };
    }
  }
  return best;
}

function scoreOf(seen: number, exposed: number, allEvents: number, allExposure: number): number {
  const expected = (allEvents * exposed) / allExposure;
  const others = allEvents - seen;
  const othersExpected = allEvents - expected;
  // Without exposure outside there is nothing to compare with.
  if (expected <= 0 || othersExpected <= 0) return 0;
  if (seen / expected < timesMin * (others / othersExpected)) return 0;
  return (
    seen * Math.log(seen / expected) +
    (others === 0 ? 0 : others * Math.log(others / othersExpected))
  );
}
