/**
 * What can be wrong with bytes that others send. Codes are stable: "bad-exposition", "bad-protobuf", "bad-json", "bad-snappy",
 * "bad-gzip", "too-large", "unsupported-media-type", "bad-config". A request that raises one has written nothing.
 */
import { SkoposError } from "@skopos/model";

export class IngestError extends SkoposError {}

/** A page of metrics that is not what its format says. Line and column count from 1; columns are bytes. */
export class ExpositionError extends SkoposError {
  readonly line: number;
  readonly column: number;

  constructor(reason: string, line: number, column: number) {
    super("bad-exposition", `line ${line}, column ${column}: ${reason}`);
    this.line = line;
    this.column = column;
  }
}
