/** Answers that may be big: sent at the client's pace, deflated lightly where the client takes that and it is worth it. */
import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import { createGzip, gzip } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Below it deflating costs more than it saves. */
const deflatedBytesMin = 16 * 1024;
/** The lightest: what is saved on the way must not be spent here. */
const level = 1;
const gzipAll = promisify(gzip);

function takesGzip(request: FastifyRequest): boolean {
  const accepted = request.headers["accept-encoding"];
  const text = Array.isArray(accepted) ? accepted.join(",") : (accepted ?? "");
  return text
    .split(",")
    .some((part) => /^\s*(?:gzip|\*)\s*(?:$|;\s*q=(?!0(?:\.0*)?\s*$))/.test(part));
}

/** An answer that may be sent again; what it deflates to is kept from the first time. */
export interface SentBody {
  readonly bytes: Uint8Array;
  deflated: Uint8Array | undefined;
}

export function sentOnce(body: Uint8Array | Readable): SentBody | Readable {
  return body instanceof Uint8Array ? { bytes: body, deflated: undefined } : body;
}

/** The reply's type must be set. */
export async function sendBig(
  request: FastifyRequest,
  reply: FastifyReply,
  body: SentBody | Readable,
): Promise<void> {
  const deflate = takesGzip(request);
  reply.header("vary", "accept-encoding");
  if ("bytes" in body) {
    if (!deflate || body.bytes.length < deflatedBytesMin)
      return void (await reply.send(body.bytes));
    reply.header("content-encoding", "gzip");
    body.deflated ??= await gzipAll(body.bytes, { level });
    return void (await reply.send(body.deflated));
  }
  if (!deflate) return void (await reply.send(body));
  reply.header("content-encoding", "gzip");
  // An error of either end destroys both, which is what breaks the answer off.
  await reply.send(pipeline(body, createGzip({ level }), () => {}));
}
