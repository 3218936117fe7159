import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { FakeClock } from "@skopos/testkit";
import { request } from "undici";
import { afterEach, expect, it } from "vitest";
import { listening } from "../testing/listening.ts";
import { HttpAgent } from "./agent.ts";
import { parseScrapeConfig } from "./config.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

/** Where it listens. Bodies of requests are read before they are answered. */
async function listen(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<string> {
  const server = createServer((asked, response) => {
    let body = "";
    asked.setEncoding("utf8");
    asked.on("data", (text: string) => (body += text));
    asked.on("end", () => answer(asked, response, body));
  });
  const { port, stop } = await listening(server);
  stops.push(stop);
  return `http://127.0.0.1:${port}`;
}

function agentOf(settings: object, clock = new FakeClock()): HttpAgent {
  const text = JSON.stringify({ scrape_configs: [{ job_name: "a", ...settings }] });
  const [job] = parseScrapeConfig(text, "test.yml").jobs;
  if (!job) throw new Error("a job");
  const agent = new HttpAgent(job.http, clock);
  stops.push(() => agent.close());
  return agent;
}

const oauth2 = (tokenUrl: string) => ({
  oauth2: {
    client_id: "scraper:1",
    client_secret: "hunter2 &",
    token_url: `${tokenUrl}/token`,
    scopes: ["read", "metrics"],
    endpoint_params: { audience: "mesh" },
  },
});

function giveToken(response: ServerResponse, text: string): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ access_token: text, token_type: "bearer", expires_in: 60 }));
}

it("a token is asked for with the client's credentials, once for all who wait, and kept until it expires", async () => {
  const asked: { authorization: string | undefined; form: object }[] = [];
  const url = await listen(({ headers }, response, body) => {
    const form = Object.fromEntries(new URLSearchParams(body));
    asked.push({ authorization: headers.authorization, form });
    giveToken(response, `token-${asked.length}`);
  });
  const clock = new FakeClock();
  const agent = agentOf(oauth2(url), clock);
  const headers = await Promise.all([agent.headers(), agent.headers()]);
  expect(headers).toEqual([
    { authorization: "Bearer token-1" },
    { authorization: "Bearer token-1" },
  ]);
  expect(asked).toEqual([
    {
      authorization: `Basic ${Buffer.from("scraper%3A1:hunter2+%26").toString("base64")}`,
      form: { grant_type: "client_credentials", scope: "read metrics", audience: "mesh" },
    },
  ]);
  await clock.advance(49_000);
  expect((await agent.headers())["authorization"]).toBe("Bearer token-1");
  await clock.advance(2000);
  expect((await agent.headers())["authorization"]).toBe("Bearer token-2");
});

it("a token endpoint that reads credentials in the form alone is asked that way", async () => {
  let requests = 0;
  const url = await listen((_, response, body) => {
    requests++;
    const form = new URLSearchParams(body);
    if (form.get("client_secret") === "hunter2 &") giveToken(response, form.get("client_id") ?? "");
    else response.writeHead(401).end("{}");
  });
  const clock = new FakeClock();
  const agent = agentOf(oauth2(url), clock);
  expect((await agent.headers())["authorization"]).toBe("Bearer scraper:1");
  await clock.advance(60_000);
  await agent.headers();
  expect(requests).toBe(3);
});

it("a refused client is told why, without its secret", async () => {
  const url = await listen((_, response) =>
    response.writeHead(401).end(JSON.stringify({ error: "invalid_client" })),
  );
  const asked = agentOf(oauth2(url)).headers();
  await expect(asked).rejects.toThrow(
    `oauth2: ${url}/token gave no token: status 401, invalid_client`,
  );
});

it("requests go through the proxy that is named", async () => {
  const seen: (string | undefined)[] = [];
  const proxy = await listen(({ url, headers }, response) => {
    seen.push(url, headers["proxy-authorization"]);
    response.end("through the proxy");
  });
  const agent = agentOf({ proxy_url: proxy.replace("//", "//me:hunter2@") });
  const url = "http://metrics.example.org/metrics?a=b";
  const response = await request(url, { dispatcher: agent.dispatcher() });
  expect(await response.body.text()).toBe("through the proxy");
  expect(seen).toEqual([url, `Basic ${Buffer.from("me:hunter2").toString("base64")}`]);
});

it("settings that contradict one another are refused where they stand", () => {
  expect(() => agentOf({ ...oauth2("http://a"), bearer_token: "x" })).toThrow(/exclude each other/);
  expect(() => agentOf({ oauth2: { client_id: "a" } })).toThrow(/token_url/);
  expect(() => agentOf({ proxy_url: "socks5://me:hunter2@a" })).toThrow(
    /^(?!.*hunter2).*proxy_url must be an http or https address/,
  );
});
