/** Answers and refusals in the words of Prometheus's HTTP API. */
import type { FastifyReply } from "fastify";
import { refusalOf } from "../../http/problems.ts";

const errorTypes: Readonly<Record<string, string>> = {
  "bad-query": "bad_data",
  "bad-request": "bad_data",
  "bad-duration": "bad_data",
  "bad-regex": "bad_data",
  limit: "execution",
  execution: "execution",
  cancelled: "canceled",
  timeout: "timeout",
  "not-found": "not_found",
  "not-supported": "not_acceptable",
  unavailable: "unavailable",
  overloaded: "unavailable",
};
const statusOfType: Readonly<Record<string, number>> = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  not_found: 404,
  not_acceptable: 406,
  unavailable: 503,
};

/** What an endpoint answers with besides plain data. */
export class Answer {
  readonly data: unknown;
  readonly warnings: readonly string[];

  constructor(data: unknown, warnings: readonly string[] = []) {
    this.data = data;
    this.warnings = warnings;
  }

  /** A list cut to `limit`, with upstream's warning. */
  static cut(list: readonly unknown[], limit: number): Answer {
    return list.length > limit
      ? new Answer(list.slice(0, limit), ["results truncated due to limit"])
      : new Answer(list);
  }
}

export function envelope(value: unknown): object {
  const { data, warnings } = value instanceof Answer ? value : new Answer(value);
  return {
    status: "success",
    ...(data === undefined ? {} : { data }),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

export function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = refusalOf(error);
  const errorType = errorTypes[body.error.code] ?? (status >= 500 ? "internal" : "bad_data");
  return reply
    .status(statusOfType[errorType] ?? status)
    .type("application/json")
    .send({ status: "error", errorType, error: body.error.message });
}

/** "Never" as Go writes it. */
const zeroTime = "0001-01-01T00:00:00Z";

export function timeText(timeMs: number | null): string {
  return timeMs === null ? zeroTime : new Date(timeMs).toISOString();
}
