/** Another server by its URL: one place for the address, the credentials, the time and the size of its answers. */
import { CancelledError, LimitError, messageOf, SkoposError } from "@skopos/model";

export interface RemoteServer {
  /** What the paths of its API are appended to, like `http://prometheus:9090` or `https://mimir/prometheus`. */
  readonly url: string;
  /** The `Authorization` header, and any other, such as `X-Scope-OrgID`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly answerBytesMax?: number;
  /** For other transports. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Besides those of the server. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

export type Parameters = readonly (readonly [name: string, value: string])[];

const timeoutMsDefault = 120_000;
const answerBytesMaxDefault = 512 * 2 ** 20;
const shownChars = 200;

export class Connection {
  /** Without a slash at its end. */
  readonly base: string;
  readonly #remote: RemoteServer;

  constructor(remote: RemoteServer) {
    this.#remote = remote;
    this.base = remote.url.replace(/\/+$/, "");
  }

  get(path: string, parameters: Parameters, options: CallOptions = {}): Promise<RawAnswer> {
    const query = formOf(parameters).toString();
    return this.#call(query === "" ? path : `${path}?${query}`, { method: "GET" }, options);
  }

  /** In a form: parameters of whatever length. */
  post(path: string, parameters: Parameters, options: CallOptions = {}): Promise<RawAnswer> {
    return this.#call(path, { method: "POST", body: formOf(parameters) }, options);
  }

  /** The text as JSON. Throws "unavailable" with its beginning when it is none. */
  parse(path: string, { status, text }: RawAnswer): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      const begin = text.slice(0, shownChars);
      throw new SkoposError(
        "unavailable",
        `${this.base} answers ${path} with status ${status} and no JSON: ${begin}`,
        { cause },
      );
    }
  }

  async #call(path: string, init: RequestInit, options: CallOptions): Promise<RawAnswer> {
    const { timeoutMs = timeoutMsDefault, fetch = globalThis.fetch } = this.#remote;
    const headers = { ...this.#remote.headers, ...options.headers };
    const late = AbortSignal.timeout(Math.min(options.timeoutMs ?? timeoutMs, timeoutMs));
    const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
    try {
      const response = await fetch(this.base + path, { ...init, headers, signal });
      return { status: response.status, text: await this.#read(response) };
    } catch (cause) {
      if (cause instanceof SkoposError) throw cause;
      if (options.signal?.aborted) throw new CancelledError();
      const why = late.aborted ? "no answer in time" : messageOf(cause);
      throw new SkoposError("unavailable", `${this.base} does not answer: ${why}`, { cause });
    }
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
        throw new LimitError(`${this.base} answers with more than ${bytesMax} bytes`);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  }
}

function formOf(parameters: Parameters): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of parameters) form.append(name, value);
  return form;
}
