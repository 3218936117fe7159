/** The one place where expected failures become HTTP answers. */
import { SkoposError } from "@skopos/model";
import type { Problem } from "@skopos/api";

const statuses: Readonly<Record<string, number>> = {
  "bad-request": 400,
  "bad-query": 400,
  "bad-duration": 400,
  "bad-regex": 400,
  "bad-protobuf": 400,
  "bad-json": 400,
  "bad-snappy": 400,
  "bad-gzip": 400,
  "bad-exposition": 400,
  "bad-loki": 400,
  "bad-scenario": 400,
  unauthenticated: 401,
  "wrong-origin": 403,
  csrf: 403,
  forbidden: 403,
  "not-found": 404,
  "not-supported": 406,
  conflict: 409,
  refused: 409,
  "too-large": 413,
  "unsupported-media-type": 415,
  "wrong-host": 421,
  execution: 422,
  limit: 422,
  invalid: 422,
  overloaded: 429,
  cancelled: 499,
  "bad-gateway": 502,
  unreachable: 502,
  unavailable: 503,
  "disk-full": 503,
  timeout: 504,
};

export interface Refusal {
  readonly status: number;
  readonly body: Problem;
}

/** Unexpected failures say nothing of their inside; the log does. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof SkoposError && error.code !== "internal") {
    const place: { line?: number; column?: number } = {};
    if ("line" in error && typeof error.line === "number") place.line = error.line;
    if ("column" in error && typeof error.column === "number") place.column = error.column;
    return {
      status: statuses[error.code] ?? 400,
      body: { error: { code: error.code, message: error.message, ...place } },
    };
  }
  if (
    error instanceof Error &&
    "statusCode" in error &&
    typeof error.statusCode === "number" &&
    error.statusCode < 500
  ) {
    return {
      status: error.statusCode,
      body: { error: { code: "bad-request", message: error.message } },
    };
  }
  return {
    status: 500,
    body: {
      error: {
        code: "internal",
        message: "something went wrong inside; the server's log says what",
      },
    },
  };
}
