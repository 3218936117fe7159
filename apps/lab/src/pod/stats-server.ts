/** A pod's observability ports: 15020 (merged metrics, application probes), 15090 (Envoy's alone), 15021 (readiness). */
import { createServer, request as httpRequest, type Server, type ServerResponse } from "node:http";

export interface StatsSources {
  envoyText(): string;
  appText(): string;
  ready(): boolean;
  /** Where the application listens; absent: there is none. */
  readonly app: { readonly address: string; readonly port: number } | undefined;
}

export function createStatsServer(sources: StatsSources, merged: boolean): Server {
  return createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path === "/stats/prometheus" || path === "/metrics") {
      const text = merged ? sources.envoyText() + sources.appText() : sources.envoyText();
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      return response.end(text);
    }
    if (path === "/healthz/ready") return response.writeHead(sources.ready() ? 200 : 503).end();
    const probe = /^\/app-health\/[^/]+\/(readyz|livez)$/.exec(path);
    if (probe !== null)
      return probeApp(sources, probe[1] === "readyz" ? "/readyz" : "/healthz", response);
    return response.writeHead(404).end();
  });
}

function probeApp(sources: StatsSources, path: string, response: ServerResponse): void {
  if (sources.app === undefined) return void response.writeHead(sources.ready() ? 200 : 503).end();
  const { address: host, port } = sources.app;
  const probe = httpRequest({ host, port, path, timeout: 1000 }, (answer) => {
    answer.resume();
    response.writeHead(answer.statusCode ?? 503).end();
  });
  probe.on("timeout", () => probe.destroy(new Error("no answer within 1 s")));
  probe.on("error", (error) => response.writeHead(503).end(error.message));
  probe.end();
}
