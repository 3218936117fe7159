/** Telemetry pushed to us, at the paths that its senders use. Bodies go to the thread that decodes them as they are. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { encodeRpcStatus } from "@skopos/ingest";
import { pushBytesMax } from "../http/app.ts";
import { refusalOf } from "../http/problems.ts";
import { grpcCodeOf } from "./grpc-status.ts";
import type { PushDoor, PushKind } from "./push-door.ts";

/** Paths by what their senders call them. */
const pathGroups = {
  otlp: {
    "/v1/traces": "otlp-traces",
    "/v1/logs": "otlp-logs",
    "/v1/metrics": "otlp-metrics",
    "/otlp/v1/logs": "otlp-logs",
  },
  zipkin: { "/api/v2/spans": "zipkin", "/zipkin/api/v2/spans": "zipkin" },
  loki: { "/loki/api/v1/push": "loki" },
  "remote-write": { "/api/v1/write": "remote-write" },
} as const satisfies Record<string, Readonly<Record<string, PushKind>>>;
export type PathGroup = keyof typeof pathGroups;

/** Binds the paths of the groups. `mayPush` throws for senders that may not. */
export async function bindPush(
  app: FastifyInstance,
  mayPush: (request: FastifyRequest) => void,
  door: PushDoor,
  groups: readonly PathGroup[] = ["otlp", "zipkin", "loki", "remote-write"],
): Promise<void> {
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "*",
      { parseAs: "buffer", bodyLimit: pushBytesMax },
      (_request, body, parsed) => parsed(null, body),
    );
    const paths = groups.flatMap((group): [string, PushKind][] =>
      Object.entries(pathGroups[group]),
    );
    const kinds = new Map<string | undefined, PushKind>(paths);
    scope.setErrorHandler((error, request, reply) =>
      refuse(kinds.get(request.routeOptions.url), error, request, reply),
    );
    for (const [path, kind] of paths) {
      scope.post(
        path,
        { bodyLimit: pushBytesMax, onRequest: async (request) => mayPush(request) },
        async (request, reply) => {
          const answer = await door.push({
            kind,
            body: bodyOf(request),
            contentType: request.headers["content-type"],
            contentEncoding: request.headers["content-encoding"],
          });
          reply.status(answer.status).headers(answer.headers ?? {});
          if (answer.contentType) reply.type(answer.contentType);
          return reply.send(answer.body);
        },
      );
    }
    done();
  });
}

/** Senders read text, not our JSON; those of OTLP a Status. */
function refuse(
  kind: PushKind | undefined,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const { status, body: problem } = refusalOf(error);
  const { message } = problem.error;
  reply.status(status);
  if (status === 429 || status === 503) reply.header("retry-after", "1");
  if (!kind?.startsWith("otlp-")) return reply.type("text/plain").send(message);
  const code = grpcCodeOf(problem.error.code);
  const answer = encodeRpcStatus({ code, message }, request.headers["content-type"]);
  return reply.type(answer.contentType).send(answer.body);
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
}
