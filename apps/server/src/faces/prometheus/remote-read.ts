/** `/api/v1/read`: another Prometheus reads our samples as if they were its own. */
import { chunkedContentType, decodeReadRequest } from "@skopos/ingest";
import type { FastifyInstance } from "fastify";
import type { LabelMap } from "@skopos/model";
import { goneSignal } from "../../http/bind.ts";
import type { Guard } from "../../http/guard.ts";
import { refusalOf } from "../../http/problems.ts";
import { streamAnswer } from "../../threads/answer-stream.ts";
import type { QueryPool } from "../../threads/query-pool.ts";

const requestBytesMax = 1024 * 1024;

interface RemoteReadParts {
  readonly guard: Guard;
  readonly pool: Pick<QueryPool, "call">;
  readonly externalLabels: LabelMap;
}

export async function bindRemoteRead(
  app: FastifyInstance,
  { guard, pool, externalLabels }: RemoteReadParts,
): Promise<void> {
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      "*",
      { parseAs: "buffer", bodyLimit: requestBytesMax },
      (_request, body, parsed) => parsed(null, body),
    );
    scope.post("/api/v1/read", async (request, reply) => {
      try {
        guard.require(request, "viewer", false);
        const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
        const read = decodeReadRequest(body);
        const asked = { ...read, externalLabels };
        const answer = await streamAnswer(pool, "remoteRead", asked, {
          signal: goneSignal(reply),
        });
        if (read.responseType === "chunks") reply.type(chunkedContentType);
        else reply.type("application/x-protobuf").header("content-encoding", "snappy");
        return await reply.send(answer);
      } catch (error) {
        if (reply.sent) return reply;
        // Readers show text, not JSON.
        const { status, body } = refusalOf(error);
        return reply.status(status).type("text/plain").send(body.error.message);
      }
    });
    done();
  });
}
