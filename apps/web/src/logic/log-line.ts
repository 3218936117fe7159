/** A log line in short. Envoy's JSON access log reads as a request; other JSON by its message; text as it is. */
import type { LogLine } from "@skopos/api";
import { flagMeaning } from "@skopos/model";
import { shortHost } from "./names.ts";
import { formatMs } from "./numbers.ts";

function readObject(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null; // Cut off, or merely looks like JSON.
  }
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? `${value}` : "";
}

/** "outbound|80||user-service.socialstream.svc.cluster.local" → "to user-service.socialstream". */
function upstreamSays(cluster: string): string {
  if (cluster === "" || cluster === "-") return "";
  if (cluster.startsWith("inbound")) return "(received)";
  return `to ${shortHost(cluster.split("|").at(-1) ?? cluster)}`;
}

function accessLog(fields: Readonly<Record<string, unknown>>): string {
  const flags = text(fields["response_flags"]);
  const ms = Number(fields["duration"]);
  const upstream = text(fields["upstream_cluster"]);
  return [
    text(fields["method"]),
    text(fields["path"]),
    "→",
    text(fields["response_code"]),
    flags === "" || flags === "-" ? "" : `${flags} (${flagMeaning(flags)})`,
    Number.isFinite(ms) ? formatMs(ms) : "",
    upstreamSays(upstream),
  ]
    .filter((part) => part !== "")
    .join(" ");
}

const shown = new Set(["msg", "message", "level", "time", "timestamp", "ts", "severity"]);

export function lineSays(line: string): string {
  const fields = readObject(line);
  if (!fields) return line;
  if ("response_code" in fields && "method" in fields) return accessLog(fields);
  const message = text(fields["msg"]) || text(fields["message"]);
  if (message === "") return line;
  const rest = Object.entries(fields)
    .filter(([key, value]) => !shown.has(key) && text(value) !== "")
    .map(([key, value]) => `${key}=${text(value)}`);
  return [message, ...rest].join("  ");
}

/** Two lines of one nanosecond are told apart by their place among them. */
export function lineKeys(lines: readonly LogLine[]): string[] {
  let twin = 0;
  return lines.map((line, at) => {
    twin = lines[at - 1]?.timeNs === line.timeNs ? twin + 1 : 0;
    return `${line.timeNs}-${twin}`;
  });
}
