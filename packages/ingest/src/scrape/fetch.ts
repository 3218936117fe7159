/** Fetches a page of metrics: time limit, body limit counted after inflating, gzip, credentials, TLS, redirects. */
import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { type Clock, formatDuration } from "@skopos/model";
import { request } from "undici";
import { IngestError } from "../errors.ts";
import { HttpAgent } from "./agent.ts";
import { statusText } from "./failure.ts";
import type { HttpConfig } from "./http-config.ts";
import { acceptOf, type ScrapeProtocol } from "./protocols.ts";

/** To one target. */
const connectionsMax = 2;
/** Pages are inflated at once when they are at most this long, and inflate to at most that: some milliseconds of work. */
const atOnceBytesMax = 256 * 1024;
const inflatedAtOnceBytesMax = 4 * 2 ** 20;
const inflateChunkBytes = 128 * 1024;

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
  fetch(request: PageRequest): Promise<FetchedPage>;
  close(): Promise<void>;
}

/** One connection pool for the targets of a job. Throws "bad-config" when a TLS file cannot be read. */
export function createPageFetcher(
  http: HttpConfig,
  protocols: readonly ScrapeProtocol[],
  clock: Clock,
): PageFetcher {
  const agent = new HttpAgent(http, clock, connectionsMax);
  const accept = acceptOf(protocols);
  return {
    fetch: (page) => fetchPage(page, agent, accept, clock),
    close: () => agent.close(),
  };
}

async function fetchPage(
  page: PageRequest,
  agent: HttpAgent,
  accept: string,
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
    const headers = {
      "user-agent": "skopos",
      ...agent.headers(),
      accept,
      "accept-encoding": "gzip",
      "x-prometheus-scrape-timeout-seconds": String(page.timeoutMs / 1000),
    };
    const dispatcher = agent.dispatcher();
    const response = await request(page.url, { dispatcher, headers, signal: abort.signal });
    if (response.statusCode !== 200) {
      await response.body.dump({ limit: 65_536 });
      throw new IngestError("bad-status", statusText(response.statusCode));
    }
    const gzip = response.headers["content-encoding"] === "gzip";
    const body = await readBody(response.body, gzip, page.bodyMax);
    const contentType = response.headers["content-type"];
    return { body, contentType: Array.isArray(contentType) ? contentType[0] : contentType };
  } catch (error) {
    if (late)
      throw new IngestError("timeout", `timed out after ${formatDuration(page.timeoutMs)}`, {
        cause: error,
      });
    throw error;
  } finally {
    cancelTimer();
    page.signal?.removeEventListener("abort", stop);
  }
}

async function readBody(body: Readable, gzip: boolean, bodyMax: number): Promise<Uint8Array> {
  try {
    const bytes = await collect(body, bodyMax);
    return gzip ? await inflate(bytes, bodyMax) : bytes;
  } finally {
    body.destroy();
  }
}

async function collect(stream: Readable, bodyMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyMax)
      throw new IngestError(
        "too-large",
        `body_size_limit: the page is larger than ${bodyMax} bytes`,
      );
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size);
}

/** At once where that is quick: it costs a third of what a stream does. */
async function inflate(bytes: Buffer, bodyMax: number): Promise<Uint8Array> {
  if (bytes.length <= atOnceBytesMax)
    try {
      const maxOutputLength = Math.min(bodyMax, inflatedAtOnceBytesMax);
      return gunzipSync(bytes, { maxOutputLength, chunkSize: inflateChunkBytes });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  const inflated = Readable.from([bytes], { objectMode: false });
  return await collect(inflated.pipe(createGunzip({ chunkSize: inflateChunkBytes })), bodyMax);
}
