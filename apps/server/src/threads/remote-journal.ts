/**
 * The journal for a thread that does not own it: frames are encoded here, and written, checked and synced by the owner. An
 * append cannot be refused at once, so `flushed` rejects with what the owner said.
 */
import type { MessagePort } from "node:worker_threads";
import type { JournalWriter } from "@skopos/store";
import { createCaller, type RpcCaller, serveCalls, wholeBuffer } from "./rpc.ts";

type JournalCalls = {
  /** Resolves once the frame is on disk. */
  append(frame: { kind: number; payload: Uint8Array }): Promise<null>;
};

/** Lets the other end of `port` write to the journal. */
export function serveJournal(port: MessagePort, journal: JournalWriter): void {
  serveCalls<JournalCalls>(port, {
    append: async ({ kind, payload }) => {
      await journal.flushed(journal.append(kind, payload));
      return null;
    },
  });
}

export class RemoteJournal implements JournalWriter {
  readonly #owner: RpcCaller<JournalCalls>;
  /** Frames under way by their number here. */
  readonly #waiting = new Map<number, Promise<unknown>>();
  #last = 0;

  constructor(port: MessagePort) {
    this.#owner = createCaller<JournalCalls>(port);
  }

  /** Positions count frames here, and mean nothing to the journal itself. */
  append(kind: number, payload: Uint8Array): number {
    const number = ++this.#last;
    const transfer = wholeBuffer(payload);
    const written = this.#owner.call("append", { kind, payload }, { transfer });
    this.#waiting.set(number, written);
    // Who appended asks `flushed`; until then a refusal is nobody's.
    written.catch(() => undefined).finally(() => this.#waiting.delete(number));
    return number;
  }

  async flushed(position: number): Promise<void> {
    const below = [...this.#waiting].filter(([number]) => number <= position);
    await Promise.all(below.map(([, written]) => written));
  }

  get durableThrough(): number {
    const [first] = this.#waiting.keys();
    return (first ?? this.#last + 1) - 1;
  }
}
