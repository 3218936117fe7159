/** Calls to a Prometheus-compatible HTTP API: one place for the address, the credentials, the limits and the refusals. */
import { CancelledError, LimitError, messageOf, SkoposError } from "@skopos/model";

export interface RemotePrometheus {
  /** What `/api/v1/…` is appended to, like `http://prometheus:9090` or `https://mimir/prometheus`. */
  readonly url: string;
  /** The `Authorization` header, and any other, such as `X-Scope-OrgID`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly answerBytesMax?: number;
  /** For other transports. */
  readonly fetch?: typeof globalThis.fetch;
}

const timeoutMsDefault = 120_000;
const answerBytesMaxDefault = 512 * 2 ** 20;

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

type Parameters = readonly (readonly [name: string, value: string])[];

function formOf(parameters: Parameters): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of parameters) form.append(name, value);
  return form;
}

export class PrometheusHttp {
  readonly #remote: RemotePrometheus;
  readonly #base: string;

  constructor(remote: RemotePrometheus) {
    this.#remote = remote;
    this.#base = remote.url.replace(/\/+$/, "");
  }

  /** Throws "bad-query", "execution", "limit", "cancelled", "unavailable"; parameters go in a form, whatever their length. */
  async post(
    path: string,
    parameters: Parameters,
    options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {},
  ): Promise<RemoteAnswer> {
    const body = formOf(parameters);
    return this.#call(path, { method: "POST", body }, options);
  }

  async get(path: string, parameters: Parameters): Promise<RemoteAnswer> {
    const query = formOf(parameters);
    return this.#call(`${path}?${query.toString()}`, { method: "GET" }, {});
  }

  async #call(
    path: string,
    init: RequestInit,
    options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): Promise<RemoteAnswer> {
    const { headers = {}, timeoutMs = timeoutMsDefault, fetch = globalThis.fetch } = this.#remote;
    const late = AbortSignal.timeout(Math.min(options.timeoutMs ?? timeoutMs, timeoutMs));
    const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${this.#base}/api/v1${path}`, { ...init, headers, signal });
      status = response.status;
      text = await this.#read(response);
    } catch (cause) {
      if (cause instanceof SkoposError) throw cause;
      if (options.signal?.aborted) throw new CancelledError();
      const why = late.aborted ? "no answer in time" : messageOf(cause);
      throw new SkoposError("unavailable", `${this.#base} does not answer: ${why}`, { cause });
    }
    return this.#unwrap(path, status, text);
  }

  async #read(response: Response): Promise<string> {
    const bytesMax = this.#remote.answerBytesMax ?? answerBytesMaxDefault;
    const decoder = new TextDecoder();
    let size = 0;
    let text = "";
    if (!response.body) return text;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > bytesMax)
        throw new LimitError(`${this.#base} answers with more than ${bytesMax} bytes`);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  }

  #unwrap(path: string, status: number, text: string): RemoteAnswer {
    let envelope: Envelope;
    try {
      envelope = JSON.parse(text) as Envelope;
    } catch (cause) {
      throw new SkoposError(
        "unavailable",
        `${this.#base} answers ${path.split("?")[0] ?? ""} with status ${status} and no JSON: ${text.slice(0, 200)}`,
        { cause },
      );
    }
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
