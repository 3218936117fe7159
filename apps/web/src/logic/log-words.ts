/** An access log line in words: who called whom, what came of it, how long it took. Source: Envoy, "Access logging". */
import { type EntityRef, entityPath, type LogLine, webPaths } from "@skopos/api";
import { flagMeaning } from "@skopos/model";
import { formatMs } from "./numbers.ts";

export interface LineWord {
  readonly term: string;
  readonly text: string;
  readonly path?: string;
}

const statusWords: Readonly<Record<string, string>> = {
  "0": "the connection ended before an answer",
  "400": "the request was malformed",
  "401": "the caller is not authenticated",
  "403": "the caller may not do this",
  "404": "not found",
  "408": "the request took too long to arrive",
  "429": "too many requests",
  "500": "the application failed",
  "502": "the answer was not understood",
  "503": "unavailable",
  "504": "no answer in time",
};

function statusSays(status: string): string {
  const known = statusWords[status];
  if (known !== undefined) return known;
  const kind = status.slice(0, 1);
  if (kind === "2") return "answered";
  if (kind === "3") return "sent elsewhere";
  return kind === "4" ? "the request was refused" : "failed";
}

/** The service that the line's proxy called; null for requests it received, and for what is outside the mesh. */
export function calledBy(line: LogLine): EntityRef | null {
  const cluster = line.metadata["upstream_cluster"] ?? "";
  const [, name, namespace] = /^outbound\|\d+\|[^|]*\|([^.|]+)\.([^.|]+)/.exec(cluster) ?? [];
  if (name === undefined || namespace === undefined) return null;
  return { kind: "service", id: `${namespace}/${name}`, name, namespace };
}

export function isAccessLog(line: LogLine): boolean {
  return "method" in line.metadata && ("status" in line.metadata || "authority" in line.metadata);
}

/** A line that is followed live brings what lines are searched by alone: the rest is in the line. */
export function requestIdOf(line: LogLine): string | undefined {
  const known = line.metadata["request_id"];
  if (known !== undefined || !isAccessLog(line)) return known;
  return /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/.exec(line.line)?.[0];
}

function whoCalls(line: LogLine): LineWord[] {
  const { entity } = line;
  const called = calledBy(line);
  if (called && entity)
    return [
      {
        term: "Who calls whom",
        text: `${entity.name} calls ${called.name}; this is what the caller's proxy saw`,
        path: webPaths.mesh({ edge: `${entity.id}->${called.id}` }),
      },
      { term: "Called service", text: called.name, path: entityPath(called) },
    ];
  if (entity && line.metadata["upstream_cluster"]?.startsWith("inbound|"))
    return [
      {
        term: "Who calls whom",
        text: `${entity.name} received it; this is what its own proxy saw`,
        path: webPaths.mesh({ node: entity.id }),
      },
    ];
  return [];
}

function timing({ metadata }: LogLine): LineWord[] {
  const wholeMs = Number(metadata["duration_ms"] ?? NaN);
  const calleeMs = Number(metadata["upstream_service_time_ms"] ?? NaN);
  if (!Number.isFinite(wholeMs)) return [];
  const callee = Number.isFinite(calleeMs)
    ? `, of which the callee took ${formatMs(calleeMs)}`
    : "; no answer came from the callee";
  return [{ term: "Time", text: `${formatMs(wholeMs)}${callee}` }];
}

export function lineWords(line: LogLine): LineWord[] {
  if (!isAccessLog(line)) return [];
  const { method = "", path = "", authority, status = "0", ...more } = line.metadata;
  const flags = more["response_flags"] ?? "";
  const details = more["response_code_details"];
  return [
    { term: "Request", text: `${method} ${path}${authority ? ` at ${authority}` : ""}` },
    { term: "Answer", text: `${status}: ${statusSays(status)}` },
    ...(flags === ""
      ? []
      : [
          {
            term: "Flag",
            text: `${flags}: ${flagMeaning(flags)}; the proxy itself ended the request`,
          },
        ]),
    ...(details === undefined || details === "via_upstream"
      ? []
      : [
          {
            term: "Detail",
            text: details.replaceAll("_", " ").replaceAll("{", " (").replaceAll("}", ")"),
          },
        ]),
    ...whoCalls(line),
    ...timing(line),
  ];
}

/** Whether a line is one of a pattern, in which `<_>` stands for anything. */
export function isLike(line: string, pattern: string): boolean {
  const pieces = pattern.split("<_>");
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    const last = index === pieces.length - 1;
    // What ends the pattern must end the line.
    const found = last && piece !== "" ? line.length - piece.length : line.indexOf(piece, at);
    if (found < at || !line.startsWith(piece, found)) return false;
    if (index === 0 && found !== 0) return false;
    at = found + piece.length;
  }
  return pieces.length > 1 ? true : line === pattern;
}

/** What an application's line says, without the dress of JSON. */
export function messageOf({ line }: LogLine): string {
  if (!line.startsWith("{")) return line;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return line;
    const { msg, message, error }: Record<string, unknown> = { ...value };
    const said = msg ?? message ?? error;
    return typeof said === "string" && said !== "" ? said : line;
  } catch {
    return line; // Cut off, or merely looks like JSON.
  }
}
