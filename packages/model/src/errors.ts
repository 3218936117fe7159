/** An expected failure. `code` is stable and kebab-case; rooms subclass it, `server` maps codes to HTTP once. */
export class SkoposError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A limit was reached: what was asked for is refused, nothing else is harmed. */
export class LimitError extends SkoposError {
  constructor(message: string, options?: ErrorOptions) {
    super("limit", message, options);
  }
}

/** The caller went away, or a time limit passed. */
export class CancelledError extends SkoposError {
  constructor(message = "cancelled") {
    super("cancelled", message);
  }
}

/** Throws when something that the program itself guarantees does not hold. Never for bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
