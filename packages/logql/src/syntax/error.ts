import { SkoposError } from "@skopos/model";

/** A query that cannot be understood. Code "bad-query". Lines and columns start at 1. */
export class LogqlError extends SkoposError {
  readonly line: number;
  readonly column: number;

  constructor(message: string, line: number, column: number) {
    super("bad-query", `parse error at line ${line}, col ${column}: ${message}`);
    this.line = line;
    this.column = column;
  }
}
