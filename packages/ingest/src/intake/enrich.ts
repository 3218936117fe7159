/** What is read off a log line when it comes in, so that it can be searched by: access log fields and the level. */
import type { LabelMap, LogRecord } from "@skopos/model";
import { keptOfAccessLog } from "../access-log/parse.ts";
import type { TemplateMiner } from "../templates/template-miner.ts";

/** Names that senders give a level, in labels and metadata. */
const levelNames = ["detected_level", "level", "severity", "severity_text", "lvl"] as const;
/** Loki's levels by what is written for them. */
const levels: Readonly<Record<string, string>> = {
  trace: "trace",
  trc: "trace",
  debug: "debug",
  dbg: "debug",
  info: "info",
  information: "info",
  informational: "info",
  notice: "info",
  inf: "info",
  warn: "warn",
  warning: "warn",
  wrn: "warn",
  error: "error",
  err: "error",
  eror: "error",
  critical: "critical",
  crit: "critical",
  alert: "critical",
  fatal: "fatal",
  panic: "fatal",
  emerg: "fatal",
  emergency: "fatal",
};
/** How far into a line its level is looked for. */
const levelCharsMax = 400;
const assignedLevel = /(?:^|[\s{,"(])(?:level|lvl|severity)"?\s{0,2}[=:]\s{0,2}"?([A-Za-z]{3,13})/i;
const leadingWord =
  /\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|PANIC|trace|debug|info|warn|warning|error|fatal|panic)\b/;
/** glog and klog: `E0102 15:04:05.000000`. */
const glogLevel = /^([IWEF])\d{4} /;
const glogNames: Readonly<Record<string, string>> = {
  I: "info",
  W: "warn",
  E: "error",
  F: "fatal",
};

/** The record with what its line says about it; the same one when that is nothing. */
export function enriched(record: LogRecord): LogRecord {
  const found = keptOfAccessLog(record.line);
  const level = record.metadata["detected_level"] ?? (found ? levelOf(found) : levelIn(record));
  if (!found && level === undefined) return record;
  const metadata: Record<string, string> = found ?? {};
  // What the sender said stands.
  for (const name in record.metadata) metadata[name] = record.metadata[name] ?? "";
  if (level !== undefined) metadata["detected_level"] = level;
  return { timeNs: record.timeNs, labels: record.labels, metadata, line: record.line };
}

function levelOf(kept: LabelMap): string {
  const status = Number(kept["status"] ?? 0);
  if (status >= 500 || (status === 0 && kept["method"] !== undefined)) return "error";
  return status >= 400 ? "warn" : "info";
}

function levelIn({ labels, metadata, line }: LogRecord): string | undefined {
  const named = namedLevel(metadata) ?? namedLevel(labels);
  if (named !== undefined) return named;
  const start = line.length > levelCharsMax ? line.slice(0, levelCharsMax) : line;
  const assigned = assignedLevel.exec(start)?.[1];
  if (assigned !== undefined) return levels[assigned.toLowerCase()];
  const glog = glogLevel.exec(start)?.[1];
  if (glog !== undefined) return glogNames[glog];
  const word = leadingWord.exec(start.slice(0, 100))?.[1];
  return word === undefined ? undefined : levels[word.toLowerCase()];
}

function namedLevel(map: LabelMap): string | undefined {
  for (const name of levelNames) {
    const value = map[name];
    if (value !== undefined) return levels[value.toLowerCase()];
  }
  return undefined;
}

/** Counts the line's template. Of an access log that is its shape with method, status and flags, which is what differs. */
export function mine(miner: TemplateMiner, { labels, metadata, line, timeNs }: LogRecord): void {
  const { method = "-", status, response_flags: flags = "-" } = metadata;
  const isText = line.startsWith("[2") && status !== undefined;
  const isJson = !isText && status !== undefined && line.includes('"response_code"');
  if (!isText && !isJson) miner.add(labels, line, timeNs);
  else {
    const template = isText
      ? `[<*>] "${method} <*>" ${status} ${flags} <*>`
      : `{<*>"method":"${method}"<*>"response_code":${status},"response_flags":"${flags}"<*>}`;
    miner.addKnown(labels, template, line, timeNs);
  }
}
