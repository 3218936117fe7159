/**
 * Live tail over a WebSocket: lines of the last moment first, then each as it arrives. A client that reads slower than lines come
 * is sent what it can take, and told how many streams were left out.
 */
import type { LogEngine, TailPosition } from "@skopos/model";
import { CancelledError, messageOf, SkoposError } from "@skopos/model";
import { streamsOf } from "./answers.ts";

/** The little that is needed of a socket of `ws`. */
export interface TailSocket {
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
  on(event: "close" | "error", listener: () => void): void;
}

export interface TailOptions {
  readonly logs: LogEngine;
  readonly query: string;
  /** Lines of this time and later. */
  readonly startNs: bigint;
  readonly limit: number;
  readonly categorised: boolean;
}

const pollMs = 500;
/** Beyond it the client does not keep up. */
const bufferedBytesMax = 4 * 2 ** 20;
/** Of RFC 6455: asking again does not help, or it may. */
const policyViolation = 1008;
const internalError = 1011;
/** Of WebSocket close frames. */
const reasonBytesMax = 120;

/** Runs until the socket closes or the query fails. */
export async function tail(socket: TailSocket, options: TailOptions): Promise<void> {
  const { logs, query, limit, categorised } = options;
  const gone = new AbortController();
  socket.on("close", () => gone.abort());
  socket.on("error", () => gone.abort());
  let position: TailPosition = { newestNs: options.startNs - 1n, seen: [] };
  let left: { timestamp: string; labels: object }[] = [];
  try {
    while (!gone.signal.aborted) {
      const batch = await logs.tail({ query, position, limit, signal: gone.signal });
      position = batch.position;
      const streams = streamsOf(batch.records, categorised);
      if (streams.length > 0) {
        if (socket.bufferedAmount > bufferedBytesMax) {
          for (const { timeNs, labels } of batch.records)
            left.push({ timestamp: timeNs.toString(), labels });
          left = left.slice(-limit);
        } else {
          const flags = categorised ? { encodingFlags: ["categorize-labels"] } : {};
          socket.send(JSON.stringify({ streams, dropped_entries: left, ...flags }));
          left = [];
        }
      }
      if (!batch.more) await pause(pollMs, gone.signal);
    }
  } catch (error) {
    if (error instanceof CancelledError && gone.signal.aborted) return;
    const reason = Buffer.from(messageOf(error)).subarray(0, reasonBytesMax).toString();
    const refused = error instanceof SkoposError && error.code === "bad-query";
    socket.close(refused ? policyViolation : internalError, reason);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
