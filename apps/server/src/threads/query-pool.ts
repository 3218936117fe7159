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
import { type Answer, type Argument, createCaller, type RpcCaller } from "./rpc.ts";

/** How long past its time a call may take before its thread is given up. */
const graceMs = 10_000;
const respawnDelayMs = 500;

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
    options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {},
  ): Promise<Answer<QueryCalls[Name]>> {
    const member = this.#leastBusy();
    if (!member)
      return Promise.reject(
        new SkoposError("unavailable", "no query thread is running; try again shortly"),
      );
    const answer = member.caller.call(method, argument, { signal: options.signal });
    const deadline = setTimeout(
      () => this.#giveUp(member, method),
      (options.timeoutMs ?? this.#data.timeoutMs) + graceMs,
    );
    deadline.unref();
    return answer.finally(() => clearTimeout(deadline));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#members.map((member) => member.worker.terminate()));
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
