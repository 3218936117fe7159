import { SkoposError } from "@skopos/model";

/** A query that cannot be understood, or not be answered. Code "bad-query". Lines and columns start at 1. */
export class TraceqlError extends SkoposError {
  readonly line: number;
  readonly column: number;

  constructor(message: string, place: { readonly line: number; readonly column: number }) {
    super("bad-query", `${message} (line ${place.line}, column ${place.column})`);
    this.line = place.line;
    this.column = place.column;
  }
}

/** A query that the language has and that is not evaluated, by Tempo neither. */
export class UnsupportedError extends TraceqlError {}
