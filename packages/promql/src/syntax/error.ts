import { SkoposError } from "@skopos/model";
import type { Span } from "./ast.ts";

/** A query that does not parse or does not type-check. Lines and columns count from 1; `endColumn` is exclusive. */
export class PromqlSyntaxError extends SkoposError {
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  /** The message without its position. */
  readonly reason: string;

  constructor(text: string, span: Span, reason: string) {
    const { line, column } = lineAndColumn(text, span.start);
    super("bad-query", `${line}:${column}: parse error: ${reason}`);
    this.line = line;
    this.column = column;
    this.endColumn = column + Math.max(1, span.end - span.start);
    this.reason = reason;
  }
}

/** Both count from 1. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lastBreak = before.lastIndexOf("\n");
  return { line: before.split("\n").length, column: offset - lastBreak };
}
