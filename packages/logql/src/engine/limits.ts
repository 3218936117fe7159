/** What one query may use. */
export interface QueryLimits {
  /** Lines that have to be read because the store cannot count them. */
  readonly linesMax: number;
  readonly seriesMax: number;
  readonly stepsMax: number;
}

export const defaultLimits: QueryLimits = {
  linesMax: 5_000_000,
  seriesMax: 5000,
  stepsMax: 11_000,
};
