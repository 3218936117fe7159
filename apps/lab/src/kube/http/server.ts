import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Clock, LimitError, messageOf, SkoposError } from "@skopos/model";
import { mapAt } from "../json.ts";
import type { NodeAgent } from "../node-agent.ts";
import { forbidden, methodNotAllowed, noSuchPath, StatusError } from "../status-error.ts";
import type { KubeStore } from "../store.ts";
import { mediaTypeOf, parseObject, readBody } from "./body.ts";
import { answerDiscovery, serverVersion } from "./discovery.ts";
import { type Exchange, flag, sendJson } from "./exchange.ts";
import { answerOpenApi } from "./openapi.ts";
import { getObject, listObjects } from "./read.ts";
import { answerEviction, answerLog, answerScale } from "./subresources.ts";
import { parseTarget, type Target } from "./target.ts";
import { answerUsage } from "./usage.ts";
import { watchObjects } from "./watch.ts";
import { createObject, deleteObject, deleteObjects, patchObject, updateObject } from "./write.ts";

/**
 * The HTTP face. Loopback is no authentication: requests must name a loopback host (a page that rebinds a name to
 * 127.0.0.1 does not), must not come from a page of another origin, and carry the token where one is set.
 */
export type HttpOptions = {
  store: KubeStore;
  clock: Clock;
  nodeAgent: NodeAgent | undefined;
  token: string | undefined;
  log: (message: string) => void;
};

export type HttpFace = {
  listen(port: number, host: string): Promise<{ url: string }>;
  close(): Promise<void>;
};

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

export function createHttpFace(options: HttpOptions): HttpFace {
  const server = createServer(
    { requestTimeout: 60_000, maxHeaderSize: 64 * 1024 },
    (request, response) => {
      void answer(options, request, response);
    },
  );
  server.maxConnections = 2_000;
  return {
    listen: (port, host) => listen(server, port, host),
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const why = taken
        ? "is in use; choose another port"
        : `cannot be listened on: ${error.message}`;
      const code = taken ? "port-in-use" : "listen-failed";
      reject(new SkoposError(code, `Kubernetes API: ${host}:${port} ${why}`, { cause: error }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      const shown = host.includes(":") ? `[${host}]` : host;
      resolve({ url: `http://${shown}:${bound}` });
    });
  });
}

async function answer(
  options: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { store, clock, nodeAgent } = options;
  const url = urlOf(request);
  const exchange: Exchange = { request, response, url, store, clock, nodeAgent, warnings: [] };
  try {
    guard(options, request);
    await route(exchange);
  } catch (error) {
    if (response.headersSent) {
      options.log(`${request.method} ${url.pathname}: ${messageOf(error)}`);
      response.destroy();
      return;
    }
    const status = statusOf(error);
    if (status.httpStatus >= 500)
      options.log(`${request.method} ${url.pathname}: ${messageOf(error)}`);
    // A body that was refused unread would otherwise be taken for the next request.
    if (!request.complete) response.setHeader("connection", "close");
    sendJson(exchange, status.httpStatus, status.toStatus());
  }
}

/** The path and query asked for; what is no URL asks for nothing there is. */
function urlOf({ url = "/" }: IncomingMessage): URL {
  const base = "http://kubernetes.invalid";
  return URL.canParse(url, base) ? new URL(url, base) : new URL("/not-a-path", base);
}

function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof LimitError) {
    return new StatusError(429, "TooManyRequests", error.message, { retryAfterSeconds: 1 });
  }
  return new StatusError(500, "InternalError", `Internal error occurred: ${messageOf(error)}`, {
    causes: [{ reason: "", message: messageOf(error), field: "" }],
  });
}

function guard({ token }: HttpOptions, request: IncomingMessage): void {
  const { host = "", origin, authorization = "" } = request.headers;
  const nobody = { group: "", plural: "hosts", kind: "Host" };
  if (!loopbackHost.test(host)) {
    throw forbidden(nobody, host, "this server answers to loopback names only");
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw forbidden(nobody, origin, "pages of another origin may not call this server");
  }
  if (token === undefined) return;
  const given = Buffer.from(authorization);
  const wanted = Buffer.from(`Bearer ${token}`);
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  throw new StatusError(401, "Unauthorized", "Unauthorized");
}

const healthPaths = ["/healthz", "/livez", "/readyz"];

async function route(exchange: Exchange): Promise<void> {
  const { pathname } = exchange.url;
  const { method } = exchange.request;
  const target = parseTarget(pathname);
  if (target !== undefined) return await answerResource(exchange, target);
  if (method !== "GET") throw methodNotAllowed();
  if (answerDiscovery(exchange) || answerOpenApi(exchange)) return;
  if (pathname === "/version") return sendJson(exchange, 200, serverVersion);
  if (!healthPaths.some((path) => pathname === path || pathname.startsWith(`${path}/`))) {
    throw noSuchPath();
  }
  exchange.response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  exchange.response.end("ok");
}

async function answerResource(exchange: Exchange, target: Target): Promise<void> {
  const { kind, name, subresource } = target;
  if (kind.source === "usage") return answerUsage(exchange, target);
  if (kind.source === "review") return await answerReview(exchange, target);
  if (name === undefined) return await answerCollection(exchange, target);
  switch (subresource) {
    case "scale":
      return await answerScale(exchange, target, name);
    case "log":
      return await answerLog(exchange, target, name);
    case "eviction":
      return await answerEviction(exchange, target, name);
    default:
      return await answerObject(exchange, target, name);
  }
}

async function answerCollection(exchange: Exchange, target: Target): Promise<void> {
  switch (exchange.request.method) {
    case "GET":
      if (flag(exchange.url.searchParams, "watch")) return watchObjects(exchange, target);
      return listObjects(exchange, target);
    case "POST":
      if (target.kind.namespaced && target.namespace === undefined) throw methodNotAllowed();
      return await createObject(exchange, target);
    case "DELETE":
      if (target.kind.kind === "Namespace") throw methodNotAllowed();
      return await deleteObjects(exchange, target);
    default:
      throw methodNotAllowed();
  }
}

async function answerObject(exchange: Exchange, target: Target, name: string): Promise<void> {
  switch (exchange.request.method) {
    case "GET":
      if (flag(exchange.url.searchParams, "watch")) return watchObjects(exchange, target);
      return getObject(exchange, target, name);
    case "PUT":
      return await updateObject(exchange, target, name);
    case "PATCH":
      return await patchObject(exchange, target, name);
    case "DELETE":
      if (target.subresource !== undefined) throw methodNotAllowed();
      return await deleteObject(exchange, target, name);
    default:
      throw methodNotAllowed();
  }
}

/** Access reviews: whoever may speak to this server may do everything. */
async function answerReview(exchange: Exchange, { kind, apiVersion }: Target): Promise<void> {
  if (exchange.request.method !== "POST") throw methodNotAllowed();
  const body = parseObject(await readBody(exchange.request), mediaTypeOf(exchange.request));
  sendJson(exchange, 201, {
    kind: kind.kind,
    apiVersion,
    metadata: { creationTimestamp: null },
    spec: mapAt(body, "spec"),
    status: { allowed: true },
  });
}
