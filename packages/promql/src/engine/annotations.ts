/** Warnings and infos of one query, each once, with the place in the query they are about. */
import type { Span } from "../syntax/ast.ts";
import { lineAndColumn } from "../syntax/error.ts";

/** More of a kind are only counted. */
const annotationsMax = 10;

export class Annotations {
  readonly #query: string;
  readonly #warnings = new Set<string>();
  readonly #infos = new Set<string>();

  constructor(query: string) {
    this.#query = query;
  }

  warn(span: Span, message: string): void {
    this.#warnings.add(`PromQL warning: ${message} (${this.#place(span)})`);
  }

  info(span: Span, message: string): void {
    this.#infos.add(`PromQL info: ${message} (${this.#place(span)})`);
  }

  /** A reader's own words, such as a store that could only answer in part. */
  addWarning(message: string): void {
    this.#warnings.add(message);
  }

  get warnings(): string[] {
    return capped([...this.#warnings], "warning");
  }

  get infos(): string[] {
    return capped([...this.#infos], "info");
  }

  #place(span: Span): string {
    const { line, column } = lineAndColumn(this.#query, span.start);
    return `${line}:${column}`;
  }
}

function capped(messages: string[], kind: string): string[] {
  if (messages.length <= annotationsMax) return messages;
  const more = messages.length - annotationsMax;
  return [...messages.slice(0, annotationsMax), `${more} more ${kind} annotations omitted`];
}
