/** An answer of a query thread as HTTP sends it: bytes when it is small, else a stream whose reader sets the pace. */
import { Readable } from "node:stream";
import { CancelledError } from "@skopos/model";
import type { QueryCalls } from "./query-calls.ts";
import type { PoolCallOptions, QueryPool } from "./query-pool.ts";
import type { Argument } from "./rpc.ts";

/** A client that takes nothing for so long is gone. */
const stallMsMax = 60_000;
const bufferedBytesMax = 512 * 1024;

type BytesCall = "instantJson" | "rangeJson" | "federate" | "remoteRead";

/** Resolves with the whole answer, or with a stream once its first part is there. */
export function streamAnswer<Name extends BytesCall>(
  pool: Pick<QueryPool, "call">,
  method: Name,
  argument: Argument<QueryCalls[Name]>,
  options: Omit<PoolCallOptions, "onChunk">,
): Promise<Uint8Array | Readable> {
  const gone = new AbortController();
  const { signal } = gone;
  if (options.signal?.aborted) gone.abort();
  options.signal?.addEventListener("abort", () => gone.abort(), { once: true });
  return new Promise((resolve, reject) => {
    let stream: Readable | undefined;
    let wanted = () => {};
    const begin = () => {
      const begun = new Readable({
        highWaterMark: bufferedBytesMax,
        read: () => wanted(),
        destroy(error, done) {
          gone.abort();
          done(error);
        },
      });
      resolve(begun);
      return begun;
    };
    const onChunk = (chunk: Uint8Array) => {
      stream ??= begin();
      if (stream.push(chunk)) return Promise.resolve();
      return new Promise<void>((taken) => {
        const stalled = setTimeout(
          () => stream?.destroy(new CancelledError("the client takes nothing")),
          stallMsMax,
        );
        stalled.unref();
        wanted = () => {
          clearTimeout(stalled);
          taken();
        };
      });
    };
    const finish = async () => {
      try {
        const last = await pool.call(method, argument, { ...options, signal, onChunk });
        if (!stream) return resolve(last);
        stream.push(last);
        stream.push(null);
      } catch (error) {
        const cause = error instanceof Error ? error : new Error(String(error));
        if (stream) stream.destroy(cause);
        else reject(cause);
      }
    };
    void finish();
  });
}
