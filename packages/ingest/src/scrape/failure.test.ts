import { createServer as createHttp } from "node:http";
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from "node:net";
import { systemClock } from "@skopos/model";
import { afterEach, expect, it } from "vitest";
import { parseScrapeConfig } from "./config.ts";
import { failureOf } from "./failure.ts";
import { createPageFetcher } from "./fetch.ts";

const open: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(
    open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
  );
});

async function listening(server: Server): Promise<string> {
  open.push(server);
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function fetched(url: string, settings = "", timeoutMs = 5000) {
  const [job] = parseScrapeConfig(`scrape_configs:\n- job_name: a\n  ${settings}\n`).jobs;
  if (!job) throw new Error("no job");
  const fetcher = createPageFetcher(job.http, job.protocols, systemClock);
  try {
    return await fetcher.fetch({ url, timeoutMs, bodyMax: 1000 });
  } finally {
    await fetcher.close();
  }
}

async function failure(url: string, timeoutMs?: number) {
  try {
    await fetched(url, "", timeoutMs);
  } catch (error) {
    return failureOf(error, new URL(url).host);
  }
  throw new Error("it did not fail");
}

it("says that nothing listens", async () => {
  const server = createTcp();
  const address = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  open.length = 0;
  expect(await failure(`http://${address}/`)).toEqual({
    code: "refused",
    text: `connection refused: nothing listens on ${address}`,
  });
});

it("says how long it waited", async () => {
  const address = await listening(createTcp());
  expect(await failure(`http://${address}/`, 50)).toEqual({
    code: "timeout",
    text: "timed out after 50ms",
  });
});

it("says that the target closed the connection", async () => {
  const address = await listening(createTcp((socket) => socket.on("data", () => socket.destroy())));
  expect(await failure(`http://${address}/`)).toMatchObject({ code: "closed" });
});

it("tells a target without TLS from one with it", async () => {
  const address = await listening(createHttp((_, response) => response.end("a 1\n")));
  expect((await failure(`https://${address}/`)).text).toMatch(
    /does not speak TLS|no TLS connection/,
  );
  const smtp = await listening(createTcp((socket) => socket.end("220 hello\r\n")));
  expect(await failure(`http://${smtp}/`)).toEqual({
    code: "not-http",
    text: `${smtp} does not answer in HTTP: is its scheme https?`,
  });
});

it.each([
  ["CERT_HAS_EXPIRED", "h:1 is not trusted: its certificate has expired"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", /self-signed: name its CA/],
  ["ENOTFOUND", "the host name of h:1 cannot be resolved"],
])("finds %s among the causes", (code, text) => {
  const cause = Object.assign(new Error("inner"), { code });
  expect(failureOf(new TypeError("fetch failed", { cause }), "h:1").text).toMatch(text);
});

it("follows redirects unless told not to, sends headers, and asks for the formats wanted", async () => {
  const seen: (string | undefined)[] = [];
  const address = await listening(
    createHttp((request, response) => {
      seen.push(`${request.url} ${String(request.headers["x-team"])} ${request.headers.accept}`);
      if (request.url === "/old") response.writeHead(302, { location: "/new" }).end();
      else response.end("a 1\n");
    }),
  );
  const settings =
    "http_headers: {X-Team: {values: [a]}}\n  scrape_protocols: [PrometheusText0.0.4]";
  const page = await fetched(`http://${address}/old`, settings);
  expect(Buffer.from(page.body).toString()).toBe("a 1\n");
  const accept = "text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
  expect(seen).toEqual([`/old a ${accept}`, `/new a ${accept}`]);
  await expect(fetched(`http://${address}/old`, "follow_redirects: false")).rejects.toThrow(
    "server returned HTTP status 302 Found",
  );
});
