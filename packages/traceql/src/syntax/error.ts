import { SkoposError } from "@skopos/model";

/** A query that cannot be understood, or not yet be answered. Code "bad-query". Lines and columns start at 1. */
export class TraceqlError extends SkoposError {
  readonly line = 1;
  readonly column: number;

  constructor(message: string, column: number) {
    super("bad-query", `${message} (column ${column})`);
    this.column = column;
  }
}
