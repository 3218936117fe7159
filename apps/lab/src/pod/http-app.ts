/**
 * An HTTP application of the topology: serves its routes step by step, propagates trace headers and `x-request-id`,
 * records a span for itself, its pool waits and its queries, and misbehaves only as its settings say.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { LimitError } from "@skopos/model";
import { HttpClient } from "../http/client.ts";
import { headerOf, jsonBody, noBody, readBody } from "../http/message.ts";
import { tuneServer } from "../proxy/inbound.ts";
import { preciseNowMs } from "../telemetry/clock.ts";
import type { SpanExporter } from "../telemetry/span-exporter.ts";
import {
  extractTrace,
  injectTrace,
  newSpanId,
  newTraceId,
  type TraceContext,
} from "../telemetry/trace-context.ts";
import type { AppRoute, Call, Step } from "./app-definition.ts";
import type { AppLog } from "./app-log.ts";
import { DatabasePool, PoolTimeoutError } from "./database-pool.ts";
import { Gate } from "./gate.ts";
import type { AppSettings } from "./settings.ts";
import type { Worker } from "./work.ts";

export interface HttpAppOptions {
  readonly routes: readonly AppRoute[];
  readonly settings: AppSettings;
  readonly version: string;
  /** The sidecar's outbound listener. */
  readonly proxy: { readonly host: string; readonly port: number };
  readonly worker: Worker;
  readonly random: () => number;
  readonly log: AppLog;
  readonly spans: Pick<SpanExporter, "record"> | undefined;
}

/** A required call failed: the application gives up the request. */
class DependencyError extends Error {}

interface RequestScope {
  readonly context: TraceContext;
  readonly requestId: string | undefined;
}

export class HttpApp {
  readonly server: Server;
  readonly pool: DatabasePool | undefined;
  served = 0;
  failed = 0;
  readonly #options: HttpAppOptions;
  readonly #client: HttpClient;
  readonly #gate: Gate;
  readonly #startMs = performance.now();

  constructor(options: HttpAppOptions) {
    const { settings, proxy } = options;
    this.#options = options;
    this.#client = new HttpClient({ ...proxy, timeoutMs: settings.callTimeoutMs });
    this.#gate = new Gate(settings.maxConcurrency, settings.queueMax);
    if (settings.database !== undefined) {
      const { database, dbPoolSize: size, dbPoolTimeoutMs: timeoutMs } = settings;
      this.pool = new DatabasePool({ proxy, database, size, timeoutMs });
    }
    this.server = createServer((request, response) => void this.#serve(request, response));
    tuneServer(this.server);
  }

  get queued(): number {
    return this.#gate.waiting;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
    this.#client.close();
    this.pool?.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path === "/readyz" || path === "/healthz") return this.#probe(path, response);
    const startMs = preciseNowMs();
    const parent = extractTrace(request.rawHeaders);
    const context: TraceContext = {
      traceId: parent?.traceId ?? newTraceId(),
      spanId: newSpanId(),
      sampled: parent?.sampled ?? false,
    };
    const scope = { context, requestId: headerOf(request.rawHeaders, "x-request-id") };
    const method = request.method ?? "GET";
    const route = this.#options.routes.find((each) => matches(each, method, path));
    const { status, body, problem } = await this.#answer(request, route, scope);
    if (!response.destroyed) {
      response.writeHead(status, {
        "content-type": "application/json",
        "content-length": body.length,
      });
      response.end(body);
    }
    this.#finish(parent, context, route, method, path, startMs, status, problem);
    return undefined;
  }

  #probe(path: string, response: ServerResponse): void {
    const upS = (performance.now() - this.#startMs) / 1000;
    const ready = path === "/healthz" || upS >= this.#options.settings.readyDelayS;
    response.writeHead(ready ? 200 : 503).end();
  }

  async #answer(
    request: IncomingMessage,
    route: AppRoute | undefined,
    scope: RequestScope,
  ): Promise<{ status: number; body: Buffer; problem?: string }> {
    if (route === undefined) return failure(404, "no such route");
    try {
      await readBody(request);
      await this.#gate.enter();
    } catch (error) {
      return failure(error instanceof LimitError ? 503 : 400, messageOf(error));
    }
    try {
      const { settings, worker, random } = this.#options;
      if (settings.extraLatencyMs > 0) await worker.wait(settings.extraLatencyMs);
      if (affects(settings, route) && random() < settings.errorRate) {
        throw new Error(`unhandled exception in ${route.method} ${route.path}`);
      }
      for (const step of route.steps) await this.#run(step, scope);
      return { status: 200, body: this.#page(route) };
    } catch (error) {
      const ownFault = error instanceof DependencyError || error instanceof PoolTimeoutError;
      return failure(ownFault ? 500 : this.#options.settings.errorStatus, messageOf(error));
    } finally {
      this.#gate.leave();
    }
  }

  #page(route: AppRoute): Buffer {
    const { version } = this.#options;
    const filler = "x".repeat(Math.max(0, route.responseBytes - 60));
    return jsonBody({ route: route.path, version, data: filler });
  }

  async #run(step: Step, scope: RequestScope): Promise<void> {
    const { settings, worker } = this.#options;
    switch (step.kind) {
      case "work":
        worker.burn(settings.workCpuMs ?? step.work.cpuMs);
        return await worker.wait(settings.workWaitMs ?? step.work.waitMs);
      case "query":
        return await this.#query(step.waitMs, scope);
      case "parallel":
        await Promise.all(step.steps.map((each) => this.#run(each, scope)));
        return;
      case "send":
        this.#call(step.call, scope).catch((error: unknown) => {
          this.#warn(`event lost: ${messageOf(error)}`, scope);
        });
        return;
      case "call":
        await Promise.all(Array.from({ length: step.times }, () => this.#required(step, scope)));
        return;
    }
  }

  async #required(step: Extract<Step, { kind: "call" }>, scope: RequestScope): Promise<void> {
    try {
      await this.#call(step.call, scope);
    } catch (error) {
      if (!step.optional) throw error;
      this.#warn(`left out: ${messageOf(error)}`, scope);
    }
  }

  async #call(call: Call, scope: RequestScope): Promise<void> {
    const path = call.path.replaceAll("{id}", () =>
      String(Math.floor(this.#options.random() * 1000)),
    );
    const headers = ["host", call.authority, "user-agent", "socialstream/1.0"];
    if (scope.requestId !== undefined) headers.push("x-request-id", scope.requestId);
    const name = `${call.method} ${call.authority}${call.path}`;
    let status: number;
    try {
      const response = await this.#client.request({
        method: call.method,
        path,
        headers: injectTrace(headers, scope.context),
        body: call.method === "POST" ? jsonBody({ at: Date.now() }) : noBody,
      });
      status = response.status;
    } catch (error) {
      throw new DependencyError(`${name}: ${messageOf(error)}`);
    }
    if (status >= 400) throw new DependencyError(`${name} answered ${status}`);
  }

  async #query(waitMs: number, scope: RequestScope): Promise<void> {
    const { pool } = this;
    if (pool === undefined) throw new Error("DATABASE is not set: name it in the Deployment");
    const attributes = {
      "db.system": "postgresql",
      "db.client.connection.pool.name": this.#options.settings.database ?? "",
      "db.client.connection.max": pool.size,
      "db.client.connection.waiting": pool.waiting,
    };
    await this.#span("db.pool.acquire", "internal", scope, attributes, () => pool.acquire());
    try {
      const id = Math.floor(this.#options.random() * 1000);
      const statement = {
        "db.system": "postgresql",
        "db.statement": "SELECT * FROM users WHERE id = ?",
      };
      await this.#span("db.query", "client", scope, statement, () => pool.query(id, waitMs));
    } finally {
      pool.release();
    }
  }

  async #span<Result>(
    name: string,
    kind: "internal" | "client",
    scope: RequestScope,
    attributes: Readonly<Record<string, string | number>>,
    task: () => Promise<Result>,
  ): Promise<Result> {
    const startMs = preciseNowMs();
    let error: string | undefined;
    try {
      return await task();
    } catch (failure) {
      error = messageOf(failure);
      throw failure;
    } finally {
      this.#options.spans?.record({
        scope: "app",
        context: { ...scope.context, spanId: newSpanId() },
        parentSpanId: scope.context.spanId,
        name,
        kind,
        startMs,
        endMs: preciseNowMs(),
        ...(error === undefined ? {} : { error }),
        attributes,
      });
    }
  }

  #finish(
    parent: TraceContext | undefined,
    context: TraceContext,
    route: AppRoute | undefined,
    method: string,
    path: string,
    startMs: number,
    status: number,
    problem: string | undefined,
  ): void {
    const endMs = preciseNowMs();
    this.served++;
    if (status >= 500) {
      this.failed++;
      this.#options.log.write("error", problem ?? "failed", {
        method,
        path,
        status,
        duration_ms: Math.round(endMs - startMs),
        trace_id: context.traceId,
        span_id: context.spanId,
      });
    }
    this.#options.spans?.record({
      scope: "app",
      context,
      parentSpanId: parent?.spanId ?? "",
      name: `${method} ${route?.path ?? "unknown"}`,
      kind: "internal",
      startMs,
      endMs,
      ...(status >= 500 ? { error: problem ?? String(status) } : {}),
      attributes: {
        "http.route": route?.path ?? "",
        "http.status_code": status,
        "app.version": this.#options.version,
      },
    });
  }

  #warn(message: string, scope: RequestScope): void {
    this.#options.log.write("warn", message, { trace_id: scope.context.traceId });
  }
}

function failure(status: number, problem: string) {
  return { status, body: jsonBody({ error: problem }), problem };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function matches(route: AppRoute, method: string, path: string): boolean {
  if (route.method !== method) return false;
  const wanted = route.path.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => part.startsWith(":") || part === given[i])
  );
}

function affects(settings: AppSettings, route: AppRoute): boolean {
  if (settings.errorPaths.length === 0) return true;
  return settings.errorPaths.some((pattern) =>
    pattern.endsWith("*") ? route.path.startsWith(pattern.slice(0, -1)) : route.path === pattern,
  );
}
