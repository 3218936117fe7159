/**
 * One line on its way through the stages: its text, its labels in three kinds (of the stream, structured metadata, made by
 * stages), and the error of a stage, which is a label too. One object is used for line after line.
 */
import type { LabelMap, LogLine, LogRecord } from "@skopos/model";

export const errorLabel = "__error__";
export const errorDetailsLabel = "__error_details__";

export class LineState {
  text = "";
  timeNs = 0n;
  error = "";
  errorDetails = "";
  #stream: LabelMap = {};
  #metadata: LabelMap = {};
  readonly #parsed = new Map<string, string>();
  /** Names of the stream and of metadata that are gone or hidden. */
  readonly #removed = new Set<string>();
  /** Stream labels with new names. */
  readonly #renamed = new Map<string, string>();

  reset(record: LogRecord): void {
    this.text = record.line;
    this.timeNs = record.timeNs;
    this.error = "";
    this.errorDetails = "";
    this.#stream = record.labels;
    this.#metadata = record.metadata;
    if (this.#parsed.size > 0) this.#parsed.clear();
    if (this.#removed.size > 0) this.#removed.clear();
    if (this.#renamed.size > 0) this.#renamed.clear();
    for (const name in record.metadata)
      if (name in record.labels) {
        this.#metadata = withoutCollisions(record.metadata, record.labels);
        break;
      }
  }

  /** Undefined when there is none; "" is a value. */
  get(name: string): string | undefined {
    if (name === errorLabel) return this.error === "" ? undefined : this.error;
    if (name === errorDetailsLabel) return this.errorDetails === "" ? undefined : this.errorDetails;
    const parsed = this.#parsed.get(name);
    if (parsed !== undefined) return parsed;
    if (this.#renamed.size > 0) {
      const renamed = this.#renamed.get(name);
      if (renamed !== undefined) return renamed;
    }
    if (this.#removed.size > 0 && this.#removed.has(name)) return undefined;
    return own(this.#metadata, name) ?? own(this.#stream, name);
  }

  /** Sets a label as a stage makes it: it takes the place of any other of that name. */
  set(name: string, value: string): void {
    if (name === errorLabel) this.error = value;
    else if (name === errorDetailsLabel) this.errorDetails = value;
    else {
      if (this.#renamed.size > 0) this.#renamed.delete(name);
      if (this.isOwn(name)) this.#removed.add(name);
      this.#parsed.set(name, value);
    }
  }

  delete(name: string): void {
    if (name === errorLabel) this.error = "";
    else if (name === errorDetailsLabel) this.errorDetails = "";
    else {
      this.#parsed.delete(name);
      if (this.#renamed.size > 0) this.#renamed.delete(name);
      if (this.isOwn(name)) this.#removed.add(name);
    }
  }

  /** Gives a label another name; its kind stays. */
  rename(from: string, to: string): void {
    const value = this.get(from);
    if (value === undefined) return;
    const isOfStream =
      this.#renamed.has(from) || (!this.#parsed.has(from) && own(this.#stream, from) !== undefined);
    this.delete(from);
    if (!isOfStream) return this.set(to, value);
    this.delete(to);
    this.#renamed.set(to, value);
  }

  /** Whether the stream or metadata has a label of that name, removed or not. */
  isOwn(name: string): boolean {
    return own(this.#stream, name) !== undefined || own(this.#metadata, name) !== undefined;
  }

  /** Whether a parser has to give its field another name. */
  isTaken(name: string): boolean {
    if (this.#renamed.has(name)) return true;
    return this.isOwn(name) && !this.#removed.has(name);
  }

  fail(error: string, details: string): void {
    this.error = error;
    this.errorDetails = details;
  }

  /** Calls `visit` for every label, errors last. */
  forEach(visit: (name: string, value: string) => void): void {
    const removed = this.#removed;
    const isWhole = removed.size === 0;
    for (const name in this.#stream)
      if (isWhole || !removed.has(name)) visit(name, this.#stream[name] ?? "");
    for (const name in this.#metadata)
      if (isWhole || !removed.has(name)) visit(name, this.#metadata[name] ?? "");
    for (const [name, value] of this.#renamed) visit(name, value);
    for (const [name, value] of this.#parsed) visit(name, value);
    if (this.error !== "") visit(errorLabel, this.error);
    if (this.errorDetails !== "") visit(errorDetailsLabel, this.errorDetails);
  }

  names(): string[] {
    const names: string[] = [];
    this.forEach((name) => names.push(name));
    return names;
  }

  labels(): Record<string, string> {
    const labels: Record<string, string> = {};
    this.forEach((name, value) => {
      labels[name] = value;
    });
    return labels;
  }

  toLine(): LogLine {
    const isKept = ([name]: readonly [string, string]) => !this.#removed.has(name);
    const isWhole = this.#removed.size === 0;
    const stream = isWhole
      ? this.#stream
      : Object.fromEntries(Object.entries(this.#stream).filter(isKept));
    const metadata = isWhole
      ? this.#metadata
      : Object.fromEntries(Object.entries(this.#metadata).filter(isKept));
    const parsed = Object.fromEntries(this.#parsed);
    if (this.error !== "") parsed[errorLabel] = this.error;
    if (this.errorDetails !== "") parsed[errorDetailsLabel] = this.errorDetails;
    return {
      timeNs: this.timeNs,
      labels:
        this.#renamed.size === 0 ? stream : { ...stream, ...Object.fromEntries(this.#renamed) },
      metadata,
      parsed,
      line: this.text,
    };
  }
}

function own(labels: LabelMap, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}

function withoutCollisions(metadata: LabelMap, stream: LabelMap): LabelMap {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [
      Object.hasOwn(stream, name) ? `${name}_extracted` : name,
      value,
    ]),
  );
}
