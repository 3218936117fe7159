/** What every way of finding targets has in common. */

/** Hands target groups on until it is stopped; what it handed on last stays while it cannot find out more. */
export interface Discovery {
  start(): void;
  stop(): Promise<void>;
  /** What keeps it from working now, "" when nothing does. */
  readonly lastError: string;
}
