/** The HTTP server: security headers, the guard before every route, refusals in one shape, raw bodies for telemetry. */
import type { Logger } from "pino";
import Fastify, { type FastifyInstance } from "fastify";
import { messageOf } from "@skopos/model";
import type { Guard } from "./guard.ts";
import { refusalOf } from "./problems.ts";

const bodyBytesMax = 2 * 2 ** 20;
/** Telemetry pushes; what they unpack to is bounded where they are decoded. */
export const pushBytesMax = 32 * 2 ** 20;

const contentSecurityPolicy = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join("; ");

export function createApp(guard: Guard, log: Logger): FastifyInstance {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "no-referrer");
    reply.header("content-security-policy", contentSecurityPolicy);
    guard.checkAddress(request);
  });
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = refusalOf(error);
    if (status >= 500)
      log.error(
        {
          route: request.routeOptions.url,
          method: request.method,
          error: messageOf(error),
          stack: status === 500 && error instanceof Error ? error.stack : undefined,
        },
        "request failed",
      );
    if (status === 429 || status === 503) reply.header("retry-after", "1");
    return reply.status(status).send(body);
  });
  // Forms: the Prometheus API takes its parameters this way too.
  app.addContentTypeParser(
    "application/x-www-form-urlencoded",
    { parseAs: "string" },
    (_request, body, done) => {
      const fields: Record<string, string[]> = {};
      for (const [key, value] of new URLSearchParams(String(body)))
        (fields[key] ??= []).push(value);
      done(null, fields);
    },
  );
  return app;
}
