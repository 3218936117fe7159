/** Log lines of a thread, sent to the main thread's log. */
import type { MessagePort } from "node:worker_threads";
import type { Log } from "@skopos/store";
import type { Logger } from "pino";

interface LogEvent {
  readonly level: "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

export function portLog(port: Pick<MessagePort, "postMessage">): Log {
  const send = (level: LogEvent["level"]) => (fields: object, message: string) =>
    port.postMessage({ event: "log", value: { level, fields, message } satisfies LogEvent });
  return { info: send("info"), warn: send("warn"), error: send("error") };
}

/** Writes a thread's log event. */
export function writeLogEvent(log: Logger, thread: string, value: unknown): void {
  const { level, fields, message } = value as LogEvent;
  log[level]({ thread, ...fields }, message);
}
