/** What can be set about the desk; the defaults suit 15 s scrapes and rules with `for: 2m`. */
export interface DeskSettings {
  readonly scrapeIntervalMs: number;
  /** How far back diagnosis looks for normal. */
  readonly lookbackMs: number;
  /** Between diagnoses of an incident that is not settled yet. */
  readonly diagnoseEveryMs: number;
  /** Alerts may be quiet this long before the incident counts as over. */
  readonly quietMs: number;
  /** The same trouble within this after it went quiet reopens the incident. */
  readonly reopenMs: number;
  /** An alert that shares no measured path joins no incident older than this. */
  readonly joinMs: number;
  /** How long an action's criteria must hold. */
  readonly holdMs: number;
  readonly verifyDeadlineMs: number;
  readonly planExpiryMs: number;
  /** No action is executed while this is true. */
  readonly paused: boolean;
  /** The confidence from which an action is proposed. */
  readonly proposeConfidence: number;
  readonly actionsPerIncidentMax: number;
  readonly actionsPerHourMax: number;
  /** Share of a target's replicas that must be ready for actions that do not restore replicas. */
  readonly readyRatioMin: number;
}

export const defaultSettings: DeskSettings = {
  scrapeIntervalMs: 15_000,
  lookbackMs: 15 * 60_000,
  diagnoseEveryMs: 10_000,
  quietMs: 60_000,
  reopenMs: 10 * 60_000,
  joinMs: 10 * 60_000,
  holdMs: 120_000,
  verifyDeadlineMs: 10 * 60_000,
  planExpiryMs: 10 * 60_000,
  paused: false,
  proposeConfidence: 0.5,
  actionsPerIncidentMax: 3,
  actionsPerHourMax: 6,
  readyRatioMin: 0.51,
};
