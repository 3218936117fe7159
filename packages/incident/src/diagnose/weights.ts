/**
 * How much each kind of evidence counts, in one place. A weight is the share of the remaining doubt that the evidence
 * removes: supports combine as 1 − ∏(1 − w), objections as ∏(1 − w) on top. Chosen by judgement on simulated faults and held
 * against public fault data; not fitted to any scenario.
 */
export const weights = {
  /** A response flag names the mechanism, times the share of the failures it explains. */
  flag: 0.75,
  /** A response code alone is weaker: applications answer 403 too. */
  code: 0.5,
  /** The failures, or the waiting, begin at this node: times its share of all that begins anywhere. */
  ownFailures: 0.55,
  ownLatency: 0.5,
  /** One revision fails and another does not. */
  revisionContrast: 0.45,
  /** A change that can cause this, right before the onset; fades with the time between. */
  change: 0.55,
  /** …and what it changed speaks of this very mechanism. */
  changeSpeaks: 0.5,
  /** The object's present state shows the mechanism: a limit, a fault, a missing subset. */
  configuration: 0.4,
  /** Spans wait before the call rather than in it. */
  waitSpans: 0.6,
  /** Spans show that the service itself works longer, or fails first. */
  ownSpans: 0.3,
  cpuAtLimit: 0.6,
  cpuGrew: 0.25,
  memoryAtLimit: 0.55,
  containersEnd: 0.75,
  replicasMissing: 0.6,
  surge: 0.6,
  gap: 0.55,
  newLogPattern: 0.2,
  /** Against: another mechanism explains the same better. */
  betterExplained: 0.5,
  /** Against: nothing of the configuration that this mechanism needs is there. */
  configurationAbsent: 0.4,
  /** Against: there is little history, so that "usual" is a guess. */
  littleHistory: 0.1,
  /** What remains when a node stands out and nothing says why. */
  unexplained: 0.2,
} as const;

/** A change this long before the onset counts 1/e of one right before it. */
export const changeFadeMs = 5 * 60_000;
/** Below this the answer is "unknown". */
export const confidenceMin = 0.45;
/** Nothing is ever certain. */
export const confidenceMax = 0.97;
