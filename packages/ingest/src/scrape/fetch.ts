/** Fetches a page of metrics: time limit, body limit counted after inflating, gzip, credentials, TLS, redirects. */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Clock, formatDuration } from "@skopos/model";
import type { Dispatcher } from "undici";
import { IngestError } from "../errors.ts";
import { gunzip } from "../wire/gunzip.ts";
import { HttpAgent } from "./agent.ts";
import { BodyBuffer } from "./body-buffer.ts";
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

export interface FetchedPage {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  /** Call it when the body is no longer needed: its memory is the next page's. */
  release?(): void;
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
  const agent = new HttpAgent(http, clock, connectionsMax, true);
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
  const { origin, pathname, search } = new URL(page.url);
  const headers = {
    "user-agent": "skopos",
    ...(await agent.headers()),
    accept,
    "accept-encoding": "gzip",
    "x-prometheus-scrape-timeout-seconds": String(page.timeoutMs / 1000),
  };
  const body = new BodyBuffer(page.bodyMax);
  try {
    const dispatcher = agent.dispatcher();
    const request = { origin, path: `${pathname}${search}`, method: "GET", headers } as const;
    const response = await gather(dispatcher, request, body, page, clock);
    const contentType = response["content-type"];
    const type = Array.isArray(contentType) ? contentType[0] : contentType;
    if (response["content-encoding"] !== "gzip")
      return { body: body.bytes, contentType: type, release: () => body.release() };
    const inflated = await inflate(body.bytes, page.bodyMax);
    body.release();
    return { ...inflated, contentType: type };
  } catch (error) {
    body.release();
    throw error;
  }
}

/** Asks for the page and gathers it in `body`; resolves with the headers when it is whole. */
function gather(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  body: BodyBuffer,
  { timeoutMs, signal }: PageRequest,
  clock: Clock,
): Promise<Headers> {
  return new Promise((resolve, reject) => {
    let headers: Headers = {};
    let controller: Dispatcher.DispatchController | undefined;
    let failure: Error | undefined;
    const settle = () => {
      cancelTimer();
      signal?.removeEventListener("abort", stop);
    };
    const fail = (error: Error) => {
      settle();
      failure ??= error;
      reject(failure);
    };
    const abort = (error: Error) => {
      fail(error);
      controller?.abort(error);
    };
    const stop = () => abort(new IngestError("cancelled", "the scrape was stopped"));
    const late = () =>
      abort(new IngestError("timeout", `timed out after ${formatDuration(timeoutMs)}`));
    const cancelTimer = clock.after(timeoutMs, late);
    signal?.addEventListener("abort", stop, { once: true });
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started;
        if (failure) started.abort(failure);
      },
      onResponseStart(_, statusCode, found) {
        // Of a redirect that was followed, or an interim response, nothing counts.
        body.clear();
        headers = found;
        if (statusCode !== 200 && statusCode >= 200)
          abort(new IngestError("bad-status", statusText(statusCode)));
      },
      onResponseData(_, chunk) {
        if (failure) return;
        try {
          body.add(chunk);
        } catch (error) {
          abort(error instanceof Error ? error : new Error(String(error)));
        }
      },
      onResponseEnd() {
        settle();
        if (!failure) resolve(headers);
      },
      onResponseError: (_, error) => fail(error),
    });
  });
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

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

async function inflate(bytes: Buffer, bodyMax: number): Promise<Omit<FetchedPage, "contentType">> {
  return inflateAtOnce(bytes, bodyMax) ?? { body: await inflateInPieces(bytes, bodyMax) };
}

/** Undefined for what would hold up the thread. */
function inflateAtOnce(
  bytes: Buffer,
  bodyMax: number,
): Omit<FetchedPage, "contentType"> | undefined {
  if (bytes.length > atOnceBytesMax) return undefined;
  const inflated = new BodyBuffer(Math.min(bodyMax, inflatedAtOnceBytesMax));
  try {
    inflated.length = gunzip(bytes, inflated);
    return { body: inflated.bytes, release: () => inflated.release() };
  } catch (error) {
    inflated.release();
    const isTooLarge = error instanceof IngestError && error.code === "too-large";
    if (isTooLarge && bodyMax > inflatedAtOnceBytesMax) return undefined;
    throw error;
  }
}

function inflateInPieces(bytes: Buffer, bodyMax: number): Promise<Buffer> {
  const inflated = Readable.from([bytes], { objectMode: false });
  return collect(inflated.pipe(createGunzip({ chunkSize: inflateChunkBytes })), bodyMax);
}
