/** What one push of log lines may hold. */
import { bodyMaxDefault } from "./wire/body.ts";

export interface LogLimits {
  /** Bytes after inflating. */
  readonly bodyMax: number;
  /** Lines of one push. */
  readonly records: number;
  /** Longer lines are refused. */
  readonly lineChars: number;
  readonly labels: number;
  readonly metadata: number;
  /** Longer values are cut. */
  readonly valueChars: number;
}

export const logLimits: LogLimits = {
  bodyMax: bodyMaxDefault,
  records: 250_000,
  lineChars: 256 * 1024,
  labels: 30,
  metadata: 128,
  valueChars: 8192,
};
