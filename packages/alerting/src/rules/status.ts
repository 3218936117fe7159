/** What `/api/v1/rules` and `/api/v1/alerts` show, as plain data that crosses threads. Times are unix milliseconds. */
import type { LabelMap } from "@skopos/model";
import type { AlertSnapshot } from "./alert.ts";

interface RuleStatusBase {
  readonly name: string;
  readonly query: string;
  readonly labels: LabelMap;
  readonly health: "unknown" | "ok" | "err";
  /** "" when the last evaluation went well. */
  readonly lastError: string;
  readonly lastEvaluationMs: number | undefined;
  /** How long the last evaluation took. */
  readonly evaluationTimeMs: number | undefined;
  /** Samples of the last evaluation that the store's series limit refused. */
  readonly refusedSamples: number;
}

export type RuleStatus =
  | ({ readonly kind: "record" } & RuleStatusBase)
  | ({
      readonly kind: "alert";
      readonly state: "inactive" | "pending" | "firing";
      readonly forMs: number;
      readonly keepFiringForMs: number;
      readonly annotations: LabelMap;
      /** Pending, firing, and resolved in the last 15 minutes. */
      readonly alerts: readonly AlertSnapshot[];
    } & RuleStatusBase);

export interface GroupStatus {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly limit: number;
  readonly lastEvaluationMs: number | undefined;
  readonly evaluationTimeMs: number | undefined;
  /** Evaluations that fell out because one took longer than the interval. */
  readonly missedIterations: number;
  readonly rules: readonly RuleStatus[];
}
