/** Calls to a Prometheus-compatible HTTP API: its envelope, and its refusals in our words. */
import { SkoposError } from "@skopos/model";
import {
  type CallOptions,
  Connection,
  type Parameters,
  type RawAnswer,
  type RemoteServer,
} from "./connection.ts";

const codes: Readonly<Record<string, string>> = {
  bad_data: "bad-query",
  execution: "execution",
  canceled: "cancelled",
  timeout: "timeout",
  not_found: "not-found",
  unavailable: "unavailable",
};

interface Envelope {
  readonly status: string;
  readonly data?: unknown;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

export interface RemoteAnswer {
  readonly data: unknown;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export class PrometheusHttp {
  readonly #connection: Connection;

  constructor(remote: RemoteServer) {
    this.#connection = new Connection(remote);
  }

  /** Throws "bad-query", "execution", "limit", "cancelled", "unavailable". */
  async post(path: string, parameters: Parameters, options?: CallOptions): Promise<RemoteAnswer> {
    return this.#unwrap(path, await this.#connection.post(`/api/v1${path}`, parameters, options));
  }

  async get(path: string, parameters: Parameters): Promise<RemoteAnswer> {
    return this.#unwrap(path, await this.#connection.get(`/api/v1${path}`, parameters));
  }

  #unwrap(path: string, answer: RawAnswer): RemoteAnswer {
    const { status } = answer;
    const envelope = this.#connection.parse(path, answer) as Envelope;
    if (envelope.status === "success" && status < 300)
      return {
        data: envelope.data,
        warnings: envelope.warnings ?? [],
        infos: envelope.infos ?? [],
      };
    const { errorType = "", error = `status ${status}` } = envelope;
    throw new SkoposError(codes[errorType] ?? this.#codeOf(status), error);
  }

  #codeOf(status: number): string {
    if (status === 422) return "execution";
    if (status === 401 || status === 403) return "unauthenticated";
    return status >= 400 && status < 500 ? "bad-query" : "unavailable";
  }
}

/** Unix seconds with milliseconds, as the API takes them. */
export function secondsText(timeMs: number): string {
  return (timeMs / 1000).toFixed(3);
}
