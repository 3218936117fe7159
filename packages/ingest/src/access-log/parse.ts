/**
 * Reads lines of Envoy's access log: Istio's default text format (with or without the fields that later versions added),
 * Envoy's own default, and Istio's default JSON format, each with further fields behind or among them.
 * Source: istio.io, "Envoy Access Logs"; envoyproxy.io, "Access logging", "Default Format String".
 */
import { type AccessLogEntry, type FieldName, fields, traceIdOf, traceNames } from "./fields.ts";

/** Longer lines are not looked at. */
const lineCharsMax = 16 * 1024;
const valueCharsMax = 2048;
/** Fields of the longest known text format, and room for additions. */
const tokensMax = 40;

/** Text fields behind the request, in order; "" for those that we do not keep. */
const ending: readonly (FieldName | "")[] = [
  "bytesReceived",
  "bytesSent",
  "durationMs",
  "upstreamServiceTimeMs",
  "forwardedFor",
  "userAgent",
  "requestId",
  "authority",
  "upstreamHost",
];
const istioEnding: readonly (FieldName | "")[] = [
  ...ending,
  "upstreamCluster",
  "upstreamLocalAddress",
  "downstreamLocalAddress",
  "downstreamRemoteAddress",
  "requestedServerName",
  "routeName",
];
const envoyText = ["status", "responseFlags", ...ending] as const;
const istioText = [
  "status",
  "responseFlags",
  "responseCodeDetails",
  "connectionTerminationDetails",
  "upstreamTransportFailureReason",
  ...istioEnding,
] as const;
/** Before Istio 1.9: a policy status in place of the two details. */
const olderIstioText = [
  "status",
  "responseFlags",
  "",
  "upstreamTransportFailureReason",
  ...istioEnding,
] as const;

const numeric = new Set<FieldName>(
  fields.filter((field) => field.numeric).map((field) => field.name),
);
const named = fields.flatMap(({ name, metadata, kept = false }) =>
  metadata === undefined ? [] : [{ name, metadata, kept }],
);
/** Says nothing: it is what is written when there is nothing to say. */
const usualDetails = "via_upstream";

/** Where in a layout the fields stand that are kept. */
interface KeptToken {
  readonly at: number;
  readonly metadata: string;
  readonly numeric: boolean;
}

function keptTokens(layout: readonly (FieldName | "")[]): KeptToken[] {
  return named.flatMap(({ name, metadata, kept }) => {
    const at = layout.indexOf(name);
    return kept && at >= 0 ? [{ at, metadata, numeric: numeric.has(name) }] : [];
  });
}
const keptOfLayout = new Map(
  [envoyText, istioText, olderIstioText].map((layout) => [layout, keptTokens(layout)] as const),
);

/** An entry being read. `set` gives each field the type that it has in the entry. */
type Draft = { format: AccessLogEntry["format"] } & Partial<Record<FieldName, string | number>>;

/** The fields of an access log line; undefined when it is none. Absent values ("-", null) are left out. */
export function parseAccessLogLine(text: string): AccessLogEntry | undefined {
  if (text.length > lineCharsMax) return undefined;
  const first = text.charCodeAt(0);
  if (first === 0x5b) return parseText(text);
  return first === 0x7b ? parseJson(text) : undefined;
}

/** `[time] "METHOD path PROTOCOL" status`, of which the path may hold anything. */
const opening = /^\[([^\]\s]{10,40})\] "(?=\S)/;
const statusNext = /\d{1,3} /y;

/** Where the words and quoted texts of the line that is being read begin and end: most of them are not asked for. */
const tokens = {
  text: "",
  count: 0,
  starts: new Int32Array(tokensMax),
  ends: new Int32Array(tokensMax),
};

function tokenAt(i: number): string {
  return i < tokens.count ? tokens.text.slice(tokens.starts[i], tokens.ends[i]) : "";
}

/** What stands before the tokens. */
interface TextHead {
  readonly startTime: string;
  readonly method: string;
  readonly path: string;
  readonly protocol: string;
  readonly layout: Layout;
}

/** Leaves the tokens in `tokens`, until the next line is read. */
function readText(text: string): TextHead | undefined {
  const head = opening.exec(text);
  if (!head) return undefined;
  const [whole, startTime = ""] = head;
  const end = endOfRequest(text, whole.length);
  if (end < 0) return undefined;
  findTokens(text, end + 2);
  const layout = layoutOfTokens();
  if (!layout) return undefined;
  const request = text.slice(whole.length, end);
  const first = request.indexOf(" ");
  const last = request.lastIndexOf(" ");
  return {
    startTime,
    method: first < 0 ? request : request.slice(0, first),
    path: last > first ? request.slice(first + 1, last) : "",
    protocol: first < 0 ? "" : request.slice(last + 1),
    layout,
  };
}

function parseText(text: string): AccessLogEntry | undefined {
  const head = readText(text);
  if (!head) return undefined;
  const { layout } = head;
  const entry: Draft = { format: layout === envoyText ? "envoy-text" : "istio-text" };
  set(entry, "startTime", head.startTime);
  set(entry, "method", head.method);
  set(entry, "path", head.path);
  set(entry, "protocol", head.protocol);
  for (const [i, name] of layout.entries()) if (name !== "") set(entry, name, tokenAt(i));
  const id = traceIdBehind(layout);
  if (id !== undefined) entry.traceId = id;
  return entry as AccessLogEntry;
}

/** Among the fields that the format was extended by. */
function traceIdBehind(layout: Layout): string | undefined {
  for (let i = layout.length; i < tokens.count; i++) {
    const id = traceIdOf(tokenAt(i));
    if (id !== undefined) return id;
  }
  return undefined;
}

function endOfRequest(text: string, start: number): number {
  for (let end = text.indexOf('" ', start); end >= 0; end = text.indexOf('" ', end + 1)) {
    statusNext.lastIndex = end + 2;
    if (statusNext.test(text)) return end;
  }
  return -1;
}

type Layout = typeof envoyText | typeof istioText | typeof olderIstioText;

function layoutOfTokens(): Layout | undefined {
  const { count } = tokens;
  if (count >= istioText.length && countsAt(5)) return istioText;
  if (count >= olderIstioText.length && countsAt(4)) return olderIstioText;
  return count >= envoyText.length && countsAt(2) ? envoyText : undefined;
}

/** Three counts tell where a text stands that may contain spaces less often than counting fields does. */
function countsAt(at: number): boolean {
  return isCount(at) && isCount(at + 1) && isCount(at + 2);
}

/** Digits, or "-" alone. */
function isCount(token: number): boolean {
  const { text, starts, ends } = tokens;
  const start = starts[token] ?? 0;
  const end = ends[token] ?? 0;
  if (end - start === 1 && text.charCodeAt(start) === 0x2d) return true;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return false;
  }
  return end > start;
}

function findTokens(text: string, start: number): void {
  const { starts, ends } = tokens;
  const length = text.trimEnd().length;
  let count = 0;
  for (let at = start; at < length && count < tokensMax; count++) {
    const quoted = text.charCodeAt(at) === 0x22;
    const end = quoted ? endOfQuoted(text, at + 1, length) : endOfWord(text, at, length);
    starts[count] = quoted ? at + 1 : at;
    ends[count] = end;
    at = end + (quoted ? 2 : 1);
  }
  tokens.text = text;
  tokens.count = count;
}

function endOfWord(text: string, at: number, length: number): number {
  const end = text.indexOf(" ", at);
  return end < 0 || end > length ? length : end;
}

/**
 * Envoy does not escape quotes within a quoted text, such as a user agent's. So one ends where a space and either another
 * quoted text or a word without quotes follow.
 */
function endOfQuoted(text: string, at: number, length: number): number {
  for (let end = text.indexOf('" ', at); end >= 0 && end < length - 1;) {
    if (text.charCodeAt(end + 2) === 0x22) return end;
    const quote = text.indexOf('"', end + 2);
    if (quote < 0 || quote >= endOfWord(text, end + 2, length)) return end;
    end = text.indexOf('" ', end + 1);
  }
  return length - 1;
}

function parseJson(text: string): AccessLogEntry | undefined {
  // Cheap, since every JSON line passes here.
  if (!text.includes('"response_code"')) return undefined;
  if (!text.includes('"response_flags"') && !text.includes('"upstream_cluster"')) return undefined;
  const json = objectOf(text);
  if (!json) return undefined;
  const entry: Draft = { format: "json" };
  for (const { name, json: names } of fields) {
    for (const key of names) {
      const value = json[key];
      if (typeof value === "string" || typeof value === "number") set(entry, name, String(value));
    }
  }
  for (const key of traceNames) {
    const value = json[key];
    const id = typeof value === "string" ? traceIdOf(value) : undefined;
    if (id !== undefined) entry.traceId ??= id;
  }
  return entry as AccessLogEntry;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function set(draft: Draft, name: FieldName, text: string): void {
  if (text === "" || text === "-" || draft[name] !== undefined) return;
  if (!numeric.has(name))
    draft[name] = text.length > valueCharsMax ? text.slice(0, valueCharsMax) : text;
  else {
    const number = Number(text);
    if (Number.isFinite(number)) draft[name] = number;
  }
}

/** All of an entry that has a name beside a line. */
export function accessLogMetadata(entry: AccessLogEntry): Record<string, string> {
  return metadataOf(entry, false);
}

function metadataOf(entry: AccessLogEntry, keptAlone: boolean): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const { name, metadata: key, kept } of named) {
    const value = entry[name];
    if (value === undefined || (keptAlone && (!kept || value === usualDetails))) continue;
    metadata[key] = typeof value === "string" ? value : String(value);
  }
  if (entry.traceId !== undefined) metadata["trace_id"] = entry.traceId;
  return metadata;
}

/** What is written beside an access log line, to be searched by; undefined when it is none. */
export function keptOfAccessLog(text: string): Record<string, string> | undefined {
  if (text.length > lineCharsMax) return undefined;
  const first = text.charCodeAt(0);
  if (first === 0x5b) return keptOfText(text);
  const entry = first === 0x7b ? parseJson(text) : undefined;
  return entry && metadataOf(entry, true);
}

function keptOfText(text: string): Record<string, string> | undefined {
  const head = readText(text);
  if (!head) return undefined;
  const metadata: Record<string, string> = {};
  put(metadata, "method", head.method);
  put(metadata, "path", head.path);
  for (const { at, metadata: key, numeric: isNumber } of keptOfLayout.get(head.layout) ?? []) {
    const token = tokenAt(at);
    if (!isNumber) put(metadata, key, token);
    else if (token !== "" && Number.isFinite(Number(token))) metadata[key] = String(Number(token));
  }
  const id = traceIdBehind(head.layout);
  if (id !== undefined) metadata["trace_id"] = id;
  return metadata;
}

function put(metadata: Record<string, string>, key: string, text: string): void {
  if (text === "" || text === "-" || text === usualDetails) return;
  metadata[key] = text.length > valueCharsMax ? text.slice(0, valueCharsMax) : text;
}
