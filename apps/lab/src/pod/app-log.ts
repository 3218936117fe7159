/** An application's log: JSON lines with level, message and the trace they belong to. */
import type { LogOutput } from "../telemetry/log-output.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export class AppLog {
  readonly #output: Pick<LogOutput, "line">;
  readonly #service: string;

  constructor(output: Pick<LogOutput, "line">, service: string) {
    this.#output = output;
    this.#service = service;
  }

  write(
    level: LogLevel,
    message: string,
    fields: Readonly<Record<string, string | number>> = {},
  ): void {
    const ts = new Date().toISOString();
    this.#output.line(
      JSON.stringify({ ts, level, service: this.#service, msg: message, ...fields }),
    );
  }
}
