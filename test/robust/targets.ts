/** What the server watches in these tests: an exposition page and a webhook, both in the test's own process. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export interface Listening {
  /** host:port */
  readonly address: string;
  close(): Promise<void>;
}

export async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Listening> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("listens on a port");
  return {
    address: `127.0.0.1:${address.port}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A target whose page is whatever `page` returns at that moment. */
export function listenAsTarget(page: () => string): Promise<Listening> {
  return listen((_request, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(page());
  });
}

export interface ReceivedAlert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly atMs: number;
}

export interface Webhook extends Listening {
  readonly received: readonly ReceivedAlert[];
}

export async function listenAsWebhook(): Promise<Webhook> {
  const received: ReceivedAlert[] = [];
  const listening = await listen((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (text += chunk));
    request.on("end", () => {
      const atMs = performance.now();
      const { alerts } = JSON.parse(text) as { alerts: Omit<ReceivedAlert, "atMs">[] };
      for (const { status, labels } of alerts) received.push({ status, labels, atMs });
      response.end();
    });
  });
  return { ...listening, received };
}

/** A configuration that scrapes these targets every `interval`. */
export function scrapeConfigOf(addresses: readonly string[], interval: string): string {
  return JSON.stringify({
    global: { scrape_interval: interval, scrape_timeout: interval },
    scrape_configs: [{ job_name: "robust", static_configs: [{ targets: addresses }] }],
  });
}
