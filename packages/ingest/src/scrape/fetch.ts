/** Fetches a page of metrics: time limit, body limit counted after inflating, gzip, credentials, TLS. */
import { readFileSync } from "node:fs";
import { createGunzip } from "node:zlib";
import type { Readable } from "node:stream";
import { type Clock, messageOf } from "@skopos/model";
import { Agent, type Dispatcher, request } from "undici";
import { IngestError } from "../errors.ts";
import type { HttpConfig, TlsConfig } from "./config.ts";
import { revealSecret } from "./secret.ts";

interface PageRequest {
  readonly url: string;
  readonly timeoutMs: number;
  /** Bytes after inflating. */
  readonly bodyMax: number;
  readonly signal?: AbortSignal;
}

interface FetchedPage {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
}

export interface PageFetcher {
  /** Rejects with the reason as people should read it in a target's status. */
  fetch(request: PageRequest): Promise<FetchedPage>;
  close(): Promise<void>;
}

const accept =
  "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";

/** One connection pool for the targets of a job. */
export function createPageFetcher(http: HttpConfig, clock: Clock): PageFetcher {
  const dispatcher = createAgent(http.tls);
  return {
    fetch: (page) => fetchPage(page, http, dispatcher, clock),
    close: () => dispatcher.destroy(),
  };
}

/** An agent that speaks TLS as configured. Throws "bad-config" when a file cannot be read. */
export function createAgent(tls: TlsConfig | undefined): Agent {
  const options = { connections: 2, pipelining: 1, keepAliveTimeout: 30_000 };
  if (!tls) return new Agent(options);
  const connect: Record<string, unknown> = { rejectUnauthorized: !tls.insecureSkipVerify };
  if (tls.caFile) connect["ca"] = readTlsFile(tls.caFile);
  if (tls.certFile) connect["cert"] = readTlsFile(tls.certFile);
  if (tls.keyFile) connect["key"] = readTlsFile(tls.keyFile);
  if (tls.serverName) connect["servername"] = tls.serverName;
  return new Agent({ ...options, connect });
}

function readTlsFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new IngestError("bad-config", `tls_config: cannot read ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The `Authorization` header, with file contents read now. */
export function authorizationHeader(http: HttpConfig): string | undefined {
  const { credentials } = http;
  if (!credentials) return undefined;
  const secret = revealSecret(credentials.secret);
  if ("username" in credentials)
    return `Basic ${Buffer.from(`${credentials.username}:${secret}`).toString("base64")}`;
  return `${credentials.scheme} ${secret}`;
}

async function fetchPage(
  page: PageRequest,
  http: HttpConfig,
  dispatcher: Dispatcher,
  clock: Clock,
): Promise<FetchedPage> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  let late = false;
  const cancelTimer = clock.after(page.timeoutMs, () => {
    late = true;
    stop();
  });
  page.signal?.addEventListener("abort", stop, { once: true });
  try {
    const headers: Record<string, string> = {
      accept,
      "accept-encoding": "gzip",
      "user-agent": "skopos",
      "x-prometheus-scrape-timeout-seconds": String(page.timeoutMs / 1000),
    };
    const authorization = authorizationHeader(http);
    if (authorization !== undefined) headers["authorization"] = authorization;
    const response = await request(page.url, { dispatcher, headers, signal: abort.signal });
    if (response.statusCode !== 200) {
      await response.body.dump({ limit: 65_536 });
      throw new IngestError("bad-status", `server returned HTTP status ${response.statusCode}`);
    }
    const gzip = response.headers["content-encoding"] === "gzip";
    const body = await readBody(response.body, gzip, page.bodyMax);
    const contentType = response.headers["content-type"];
    return { body, contentType: Array.isArray(contentType) ? contentType[0] : contentType };
  } catch (error) {
    if (late)
      throw new IngestError("timeout", `no answer within ${page.timeoutMs} ms`, { cause: error });
    throw error;
  } finally {
    cancelTimer();
    page.signal?.removeEventListener("abort", stop);
  }
}

async function readBody(body: Readable, gzip: boolean, bodyMax: number): Promise<Uint8Array> {
  const inflated = gzip ? body.pipe(createGunzip()) : body;
  if (gzip) body.on("error", (error) => inflated.destroy(error));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of inflated as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bodyMax)
        throw new IngestError("too-large", `the page is larger than ${bodyMax} bytes`);
      chunks.push(chunk);
    }
  } finally {
    body.destroy();
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size);
}
