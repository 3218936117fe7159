/** Makes the application that a definition describes, with the metrics it exposes itself. */
import type { Server } from "node:net";
import { Page } from "../telemetry/exposition.ts";
import type { AppDefinition } from "./app-definition.ts";
import { createDatabase } from "./database.ts";
import { HttpApp, type HttpAppOptions } from "./http-app.ts";

export interface Application {
  readonly server: Server;
  metricsText(): string;
  close(): void;
}

export function createApplication(
  definition: AppDefinition,
  options: Omit<HttpAppOptions, "routes">,
): Application {
  if (definition.kind === "http") {
    const app = new HttpApp({ ...options, routes: definition.routes });
    return { server: app.server, metricsText: () => httpText(app), close: () => app.close() };
  }
  const { server, counts } = createDatabase(options.settings, options.worker);
  return {
    server,
    metricsText: () =>
      new Page()
        .single("db_server_connections", "gauge", counts.connections)
        .single("db_server_statements_total", "counter", counts.statements)
        .single("db_server_connections_refused_total", "counter", counts.refused)
        .text(),
    close: () => void server.close(),
  };
}

/** Names from OpenTelemetry's semantic conventions for database clients, in Prometheus form. */
function httpText(app: HttpApp): string {
  const page = new Page()
    .single("app_requests_total", "counter", app.served)
    .single("app_requests_failed_total", "counter", app.failed)
    .single("app_requests_queued", "gauge", app.queued);
  const { pool } = app;
  if (pool === undefined) return page.text();
  page
    .single("db_client_connections_max", "gauge", pool.size)
    .family("db_client_connections_usage", "gauge")
    .sample("db_client_connections_usage", { state: "used" }, pool.used)
    .sample("db_client_connections_usage", { state: "idle" }, pool.idle)
    .single("db_client_connections_pending_requests", "gauge", pool.waiting)
    .single("db_client_connections_timeouts_total", "counter", pool.timeouts)
    .family("db_client_connections_wait_time_milliseconds", "histogram");
  pool.waits.write(page, "db_client_connections_wait_time_milliseconds", "");
  return page.text();
}
