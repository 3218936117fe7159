/**
 * The threads that answer questions. A call goes to the thread with the fewest calls under way; a thread that dies, or does
 * not come back long after a call's time is up, is replaced and its calls are refused, so that one bad query harms only
 * those beside it.
 */
import { Worker } from "node:worker_threads";
import { SkoposError } from "@skopos/model";
import type { Logger } from "pino";
import { entryOf } from "./entries.ts";
import type { QueryCalls, QueryThreadData } from "./query-calls.ts";
import {
  type Answer,
  type Argument,
  type CallOptions,
  createCaller,
  type RpcCaller,
} from "./rpc.ts";

/** How long past its time a call may take before its thread is given up. */
const graceMs = 10_000;
const respawnDelayMs = 500;

/** Calls that a thread may have more than the least busy one and still be chosen for what it remembers. */
const affinityPending = 1;

export interface PoolCallOptions extends Omit<CallOptions, "transfer"> {
  readonly timeoutMs?: number | undefined;
  /** Calls of equal text go to the same thread, as long as that is not busier than the others. */
  readonly affinity?: string;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

interface Member {
  readonly worker: Worker;
  readonly caller: RpcCaller<QueryCalls>;
}

export class QueryPool {
  readonly #data: QueryThreadData;
  readonly #log: Logger;
  readonly #members: Member[] = [];
  #closed = false;

  constructor(size: number, data: QueryThreadData, log: Logger) {
    this.#data = data;
    this.#log = log;
    for (let i = 0; i < size; i++) this.#spawn();
  }

  call<Name extends keyof QueryCalls>(
    method: Name,
    argument: Argument<QueryCalls[Name]>,
    options: PoolCallOptions = {},
  ): Promise<Answer<QueryCalls[Name]>> {
    const member = this.#choose(options.affinity);
    if (!member)
      return Promise.reject(
        new SkoposError("unavailable", "no query thread is running; try again shortly"),
      );
    const deadline = setTimeout(
      () => this.#giveUp(member, method),
      (options.timeoutMs ?? this.#data.timeoutMs) + graceMs,
    );
    deadline.unref();
    const { signal, onChunk } = options;
    const answer = member.caller.call(method, argument, {
      signal,
      ...(onChunk && {
        onChunk(chunk) {
          // The thread came back; from here on the client sets the pace.
          clearTimeout(deadline);
          return onChunk(chunk);
        },
      }),
    });
    return answer.finally(() => clearTimeout(deadline));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#members.map((member) => member.worker.terminate()));
  }

  /** The thread that answered the like of it before, unless it has more to do than another. */
  #choose(affinity: string | undefined): Member | undefined {
    const best = this.#leastBusy();
    if (affinity === undefined || !best) return best;
    const own = this.#members[hashOf(affinity) % this.#members.length];
    return own && own.caller.pending() <= best.caller.pending() + affinityPending ? own : best;
  }

  #leastBusy(): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members)
      if (!best || member.caller.pending() < best.caller.pending()) best = member;
    return best;
  }

  #giveUp(member: Member, method: string): void {
    this.#log.error({ method }, "a query thread did not come back in time and is replaced");
    void member.worker.terminate();
  }

  #spawn(): void {
    const entry = entryOf("query-thread");
    const worker = new Worker(entry.file, { workerData: this.#data, execArgv: entry.execArgv });
    const member: Member = { worker, caller: createCaller<QueryCalls>(worker) };
    this.#members.push(member);
    worker.on("error", (error) =>
      this.#log.error({ error: error.message }, "a query thread failed"),
    );
    worker.on("exit", () => {
      this.#members.splice(this.#members.indexOf(member), 1);
      member.caller.fail(
        new SkoposError("unavailable", "the query's thread ended; try a smaller query, or again"),
      );
      if (!this.#closed) setTimeout(() => this.#closed || this.#spawn(), respawnDelayMs);
    });
  }
}
