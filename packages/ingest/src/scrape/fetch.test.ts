import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { gzipSync } from "node:zlib";
import { systemClock } from "@skopos/model";
import { afterEach, expect, it } from "vitest";
import { listening } from "../testing/listening.ts";
import { type SelfSigned, selfSigned } from "../testing/self-signed.ts";
import { parseScrapeConfig } from "./config.ts";
import { createPageFetcher } from "./fetch.ts";

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function fetching(answer: RequestListener, tls?: SelfSigned) {
  const server = tls
    ? createTlsServer({ cert: tls.cert, key: tls.key }, answer)
    : createServer(answer);
  const { port, stop } = await listening(server);
  stops.push(stop);
  const own = { job_name: "a", ...(tls && { tls_config: { ca: tls.cert } }) };
  const [job] = parseScrapeConfig(JSON.stringify({ scrape_configs: [own] }), "test").jobs;
  if (!job) throw new Error("a job");
  const fetcher = createPageFetcher(job.http, job.protocols, systemClock);
  stops.push(() => fetcher.close());
  return async (path: string, bodyMax = 64 * 2 ** 20): Promise<string> => {
    const url = `${tls ? "https" : "http"}://127.0.0.1:${port}${path}`;
    const page = await fetcher.fetch({ url, timeoutMs: 20_000, bodyMax });
    try {
      return Buffer.from(page.body).toString();
    } finally {
      page.release?.();
    }
  };
}

/** A page of its own for each path, some of a few bytes, some of several reads. */
function textOf(path: string): string {
  const number = Number(path.slice(1));
  return `page_of_target ${number}\n`.repeat(1 + (number % 7) * 9000);
}

it.each([
  ["in the clear", false],
  ["over TLS", true],
])(
  "gives each of many pages at a time its own bytes, in pieces or whole, on connections that stay or end, %s",
  async (_, secure) => {
    const tls = secure ? selfSigned() : undefined;
    const fetch = await fetching((request, response) => {
      const path = request.url ?? "";
      const text = textOf(path);
      const number = Number(path.slice(1));
      if (number % 3 === 0) response.setHeader("connection", "close");
      if (number % 5 === 0) {
        response.setHeader("content-encoding", "gzip");
        response.end(gzipSync(text));
        return;
      }
      if (number % 2 === 0) response.setHeader("content-length", text.length);
      const half = text.length >> 1;
      response.write(text.slice(0, half), () => setImmediate(() => response.end(text.slice(half))));
    }, tls);
    const paths = Array.from({ length: 60 }, (_, i) => `/${i}`);
    for (let round = 0; round < 3; round++) {
      const pages = await Promise.all(paths.map((path) => fetch(path)));
      for (const [i, path] of paths.entries()) expect(pages[i] === textOf(path)).toBe(true);
    }
  },
);

it("reads a page without a length up to where its connection ends", async () => {
  const fetch = await fetching((_, response) => {
    const { socket } = response;
    socket?.end("HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nlast 1\n");
  });
  expect(await fetch("/")).toBe("last 1\n");
});

it("refuses a page beyond its limit and reads the next", async () => {
  const fetch = await fetching((request, response) => response.end(textOf(request.url ?? "")));
  await expect(fetch("/6", 100_000)).rejects.toMatchObject({ code: "too-large" });
  expect(await fetch("/1", 1_000_000)).toBe(textOf("/1"));
});

it("does not take half a page for one", async () => {
  const fetch = await fetching((_, response) => {
    response.setHeader("content-length", 100);
    response.write("half 1\n", () => response.destroy());
  });
  await expect(fetch("/")).rejects.toThrow();
});
