/** Telemetry pushed to us, at the paths that its senders use. Bodies go to the telemetry thread as they are. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SkoposError } from "@skopos/model";
import { pushBytesMax } from "../http/app.ts";
import type { Guard } from "../http/guard.ts";
import { refusalOf } from "../http/problems.ts";
import type { PushKind, TelemetryCalls } from "../threads/telemetry-calls.ts";
import type { RpcCaller } from "../threads/rpc.ts";

const paths: Readonly<Record<string, PushKind>> = {
  "/v1/traces": "otlp-traces",
  "/v1/logs": "otlp-logs",
  "/loki/api/v1/push": "loki",
  "/api/v1/write": "remote-write",
};

/** Bytes of pushes that are being worked on; above it senders are asked to come back. */
const inFlightBytesMax = 256 * 2 ** 20;

export async function bindPush(
  app: FastifyInstance,
  guard: Guard,
  telemetry: RpcCaller<TelemetryCalls>,
): Promise<void> {
  let inFlightBytes = 0;
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "*",
      { parseAs: "buffer", bodyLimit: pushBytesMax },
      (_request, body, parsed) => parsed(null, body),
    );
    for (const [path, kind] of Object.entries(paths)) {
      scope.post(
        path,
        { bodyLimit: pushBytesMax, onRequest: async (request) => guard.requireIngest(request) },
        async (request, reply) => {
          const body = bodyOf(request);
          if (inFlightBytes + body.byteLength > inFlightBytesMax)
            throw new SkoposError("overloaded", "too much telemetry is waiting to be written");
          inFlightBytes += body.byteLength;
          try {
            const answer = await telemetry.call("push", {
              kind,
              body,
              contentType: request.headers["content-type"],
              contentEncoding: request.headers["content-encoding"],
            });
            reply.status(answer.status);
            if (answer.contentType) reply.type(answer.contentType);
            return reply.send(answer.body);
          } catch (error) {
            // Senders read text, not our JSON.
            const { status, body: problem } = refusalOf(error);
            if (status === 429 || status === 503) reply.header("retry-after", "1");
            return reply.status(status).type("text/plain").send(problem.error.message);
          } finally {
            inFlightBytes -= body.byteLength;
          }
        },
      );
    }
    done();
  });
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
}
