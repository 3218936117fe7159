/** Reads PromQL test scripts in upstream's format into commands. */
import { parseDuration, SkoposError } from "@skopos/model";

export interface Expectation {
  readonly kind: "ordered" | "fail" | "warn" | "no_warn" | "info" | "no_info";
  /** Undefined: anything of that kind. */
  readonly matches: ((text: string) => boolean) | undefined;
}

export interface LoadCommand {
  readonly kind: "load";
  readonly line: number;
  readonly withCustomBuckets: boolean;
  readonly stepMs: number;
  readonly series: readonly string[];
}

export interface EvalCommand {
  readonly kind: "eval";
  readonly line: number;
  readonly query: string;
  readonly startMs: number;
  /** Undefined for instant evals. */
  readonly range: { readonly endMs: number; readonly stepMs: number } | undefined;
  readonly expectations: readonly Expectation[];
  readonly expectedString: string | undefined;
  readonly expectedMatrix: { readonly startMs: number; readonly stepMs: number } | undefined;
  /** Series with values, or one bare number. */
  readonly results: readonly string[];
}

export type Command = { readonly kind: "clear"; readonly line: number } | LoadCommand | EvalCommand;

/** Throws `bad-script` with the line. */
export function parseScript(text: string): Command[] {
  const lines = text.split("\n").map((line) => (line.trim().startsWith("#") ? "" : line.trim()));
  const commands: Command[] = [];
  let at = 0;
  while (at < lines.length) {
    const head = lines[at] ?? "";
    if (head === "") {
      at += 1;
      continue;
    }
    let end = at + 1;
    while (end < lines.length && lines[end] !== "") end += 1;
    const body = lines.slice(at + 1, end);
    const command = parseCommand(head, body, at + 1);
    commands.push(command);
    at = command.kind === "clear" ? at + 1 : end;
  }
  return commands;
}

function parseCommand(head: string, body: readonly string[], line: number): Command {
  if (/^clear$/i.test(head)) return { kind: "clear", line };
  const load = /^load(_with_nhcb)?\s+(\S+)$/i.exec(head);
  if (load) {
    const stepMs = parseDuration(load[2] ?? "");
    return { kind: "load", line, withCustomBuckets: load[1] !== undefined, stepMs, series: body };
  }
  const instant = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+))?\s+(.+)$/i.exec(
    head,
  );
  if (instant) {
    const [, mode, at = "0", query = ""] = instant;
    return evalCommand(line, mode, query, timeMs(at), undefined, body);
  }
  const range =
    /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/i.exec(
      head,
    );
  if (range) {
    const [, mode, from = "", to = "", step = "", query = ""] = range;
    const bounds = { endMs: timeMs(to), stepMs: timeMs(step) };
    return evalCommand(line, mode, query, timeMs(from), bounds, body);
  }
  throw new SkoposError("bad-script", `line ${line}: not a command: ${head}`);
}

/** Plain numbers are seconds. */
function timeMs(text: string): number {
  if (/^-?[\d.]+$/.test(text)) return Math.round(Number(text) * 1000);
  return text.startsWith("-") ? -parseDuration(text.slice(1)) : parseDuration(text);
}

const expectLine =
  /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):\s*(.+))?$/i;

function evalCommand(
  line: number,
  mode: string | undefined,
  query: string,
  startMs: number,
  range: EvalCommand["range"],
  body: readonly string[],
): EvalCommand {
  const expectations: Expectation[] = [];
  if (mode) expectations.push({ kind: expectKind(mode), matches: undefined });
  const results: string[] = [];
  let expectedString: string | undefined;
  let expectedMatrix: EvalCommand["expectedMatrix"];
  for (const text of body) {
    const expected = expectLine.exec(text);
    const string = /^expect\s+string\s+(["'`])(.*)\1$/i.exec(text);
    const matrix = /^expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/i.exec(
      text,
    );
    const oldMessage = /^expected_fail_(message|regexp)\s+(.+)$/i.exec(text);
    if (expected) {
      const [, kind = "", form, pattern = ""] = expected;
      expectations.push({ kind: expectKind(kind), matches: textTest(form, pattern) });
    } else if (oldMessage) {
      const form = oldMessage[1] === "regexp" ? "regex" : "msg";
      expectations.push({ kind: "fail", matches: textTest(form, oldMessage[2] ?? "") });
    } else if (string) expectedString = string[2] ?? "";
    else if (matrix)
      expectedMatrix = { startMs: timeMs(matrix[1] ?? ""), stepMs: timeMs(matrix[3] ?? "") };
    else results.push(text);
  }
  return {
    kind: "eval",
    line,
    query,
    startMs,
    range,
    expectations,
    expectedString,
    expectedMatrix,
    results,
  };
}

function expectKind(text: string): Expectation["kind"] {
  const kind = text.toLowerCase();
  switch (kind) {
    case "ordered":
    case "fail":
    case "warn":
    case "no_warn":
    case "info":
    case "no_info":
      return kind;
    default:
      throw new SkoposError("bad-script", `unknown expectation ${text}`);
  }
}

function textTest(form: string | undefined, pattern: string): Expectation["matches"] {
  if (!form) return undefined;
  if (form.toLowerCase() === "msg") return (text) => text === pattern.trim();
  const regex = new RegExp(pattern.trim());
  return (text) => regex.test(text);
}
