/** Reads LogQL test scripts in upstream's format into commands. Times are seconds and more from an epoch. */
import { type LogRecord, SkoposError } from "@skopos/model";
import { parseFloat64, parseSeconds } from "../syntax/units.ts";

/** 2026-01-01T00:00:00Z. */
const epochMs = Date.UTC(2026, 0, 1);
const recordsMax = 100_000;

export interface ExpectedSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** One for each step; undefined where there is none. */
  readonly values: readonly (number | undefined)[];
}

export interface EvalCommand {
  readonly type: "eval";
  readonly line: number;
  readonly query: string;
  readonly startMs: number;
  /** Undefined for instant evals. */
  readonly range: { readonly endMs: number; readonly stepMs: number } | undefined;
  readonly series: readonly ExpectedSeries[];
  readonly scalar: number | undefined;
  readonly ordered: boolean;
  readonly empty: boolean;
  /** Undefined: it must not fail. */
  readonly fails: ((message: string) => boolean) | undefined;
}

export type Command =
  | { readonly type: "clear" }
  | { readonly type: "load"; readonly records: readonly LogRecord[] }
  | EvalCommand;

/** Throws `bad-script` with the line. */
export function parseScript(text: string): Command[] {
  const commands: Command[] = [];
  let block: { line: number; head: string; body: string[] } | undefined;
  const finish = () => {
    if (block) commands.push(parseBlock(block.head, block.body, block.line));
    block = undefined;
  };
  for (const [i, raw] of text.split("\n").entries()) {
    const isIndented = /^\s/.test(raw);
    const line = raw.trim();
    if (line.startsWith("#")) continue;
    if (line === "") finish();
    else if (!isIndented) {
      finish();
      block = { line: i + 1, head: line, body: [] };
    } else if (block) block.body.push(line);
    else throw wrong(i + 1, `belongs to no command: ${line}`);
  }
  finish();
  return commands;
}

function wrong(line: number, what: string): SkoposError {
  return new SkoposError("bad-script", `line ${line}: ${what}`);
}

function parseBlock(head: string, body: readonly string[], line: number): Command {
  if (/^clear$/i.test(head)) return { type: "clear" };
  if (/^load$/i.test(head)) {
    const records = body.flatMap((text) => parseLoad(text, line));
    return { type: "load", records };
  }
  const instant = /^eval\s+instant\s+at\s+(\S+)\s+(.+)$/i.exec(head);
  if (instant) {
    const [, at = "", query = ""] = instant;
    return parseEval(query, offsetMs(at, line), undefined, body, line);
  }
  const range = /^eval\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/i.exec(head);
  if (range) {
    const [, from = "", to = "", step = "", query = ""] = range;
    const bounds = { endMs: epochMs + offsetMs(to, line), stepMs: offsetMs(step, line) };
    return parseEval(query, offsetMs(from, line), bounds, body, line);
  }
  throw wrong(line, `not a command: ${head}`);
}

function offsetMs(text: string, line: number): number {
  const seconds = parseSeconds(text, true);
  if (seconds === undefined) throw wrong(line, `not a duration: ${text}`);
  return Math.round(seconds * 1e9) / 1e6;
}

const loadLine =
  /^(\{[^}]*\})\s+("(?:[^"]*)"|`[^`]*`)\s+@\s*(\S+?)(?:\s+\[repeat every (\S+)\s+for\s+(\d+)\])?(?:\s+\[metadata ([^\]]*)\])?(?:\s+#.*)?$/;

function parseLoad(text: string, line: number): LogRecord[] {
  const match = loadLine.exec(text);
  if (!match) throw wrong(line, `cannot load ${text}`);
  const [, labelText = "", quoted = "", at = "", every, times, metadataText = ""] = match;
  const labels = parseLabels(labelText, line);
  const metadata = parseLabels(`{${metadataText}}`, line);
  const count = Number(times ?? 1);
  if (count > recordsMax) throw wrong(line, "too many lines");
  const stepMs = every === undefined ? 0 : offsetMs(every, line);
  const firstMs = offsetMs(at, line);
  return Array.from({ length: count }, (_, i) => ({
    timeNs: BigInt(Math.round((epochMs + firstMs + i * stepMs) * 1e3)) * 1000n,
    labels,
    metadata,
    line: quoted.slice(1, -1).replaceAll("{{.i}}", String(i)),
  }));
}

function parseLabels(text: string, line: number): Record<string, string> {
  const labels: Record<string, string> = {};
  const body = text.slice(1, -1).trim();
  if (body === "") return labels;
  const pair = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$|(?=\s))/y;
  while (pair.lastIndex < body.length) {
    const match = pair.exec(body);
    if (!match) throw wrong(line, `not labels: ${text}`);
    labels[match[1] ?? ""] = (match[2] ?? "").replaceAll(/\\(.)/g, "$1");
  }
  return labels;
}

/** A remark after a query is not part of it; the parser takes it for a comment in any case. */
function parseEval(
  query: string,
  startMs: number,
  range: EvalCommand["range"],
  body: readonly string[],
  line: number,
): EvalCommand {
  const series: ExpectedSeries[] = [];
  let scalar: number | undefined;
  let ordered = false;
  let empty = false;
  let fails: EvalCommand["fails"];
  for (const text of body) {
    const fail = /^expect fail(?:\s+(msg|regex):\s*(.+))?$/i.exec(text);
    if (fail) fails = messageTest(fail[1], fail[2] ?? "");
    else if (/^expect ordered$/i.test(text)) ordered = true;
    else if (/^expect empty$/i.test(text)) empty = true;
    else if (text.startsWith("{")) series.push(parseSeries(text, line));
    else if (!/^skip\s/i.test(text)) scalar = numberOf(text, line);
  }
  return {
    type: "eval",
    line,
    query,
    startMs: epochMs + startMs,
    range,
    series,
    scalar,
    ordered,
    empty,
    fails,
  };
}

function messageTest(form: string | undefined, text: string): (message: string) => boolean {
  if (form === undefined) return () => true;
  if (form.toLowerCase() === "msg") return (message) => message.includes(text.trim());
  const pattern = new RegExp(text.trim());
  return (message) => pattern.test(message);
}

function parseSeries(text: string, line: number): ExpectedSeries {
  const match = /^(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})\s+(.*)$/.exec(text);
  if (!match) throw wrong(line, `not a series: ${text}`);
  const [, labels = "", rest = ""] = match;
  const values = rest
    .replace(/(^|\s)#.*$/, "")
    .trim()
    .split(/\s+/);
  return {
    labels: parseLabels(labels, line),
    values: values.map((value) => (value === "_" ? undefined : numberOf(value, line))),
  };
}

function numberOf(text: string, line: number): number {
  const value = parseFloat64(text.replace(/\s+#.*$/, ""));
  if (value === undefined) throw wrong(line, `not a number: ${text}`);
  return value;
}
