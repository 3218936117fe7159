/**
 * Typed calls between threads: one message per call, one per answer, events beside them. A call can be cancelled while the
 * other thread is deep in a synchronous loop: the caller writes the call's id into shared memory, the loop polls it. An
 * answer that is too big for one message goes ahead of it in chunks, a few under way at a time.
 */
import type { MessagePort, TransferListItem, Worker } from "node:worker_threads";
import { CancelledError, messageOf, SkoposError } from "@skopos/model";

type Port = Pick<MessagePort | Worker, "postMessage"> & {
  on(event: "message", listener: (value: unknown) => void): unknown;
};

/** What a method may know of its call. */
export interface CallContext {
  /** Cheap enough to poll in loops; true once the caller gave up. */
  readonly cancelled: () => boolean;
  /** The same, for work that awaits. */
  readonly signal: AbortSignal;
  /**
   * Sends a part of the answer ahead of it; the buffer is given away. Resolves when the caller can take another, rejects
   * with "cancelled" when it never will.
   */
  readonly emit: (chunk: Uint8Array<ArrayBuffer>) => Promise<void>;
}

/** An interface of calls: every method takes one structured-cloneable argument. */
export type CallTable = Record<string, (argument: never) => Promise<unknown>>;
export type Argument<Method> = Method extends (argument: infer A) => Promise<unknown> ? A : never;
export type Answer<Method> = Method extends (argument: never) => Promise<infer R> ? R : never;

export type Methods<Table> = {
  readonly [Name in keyof Table]: (
    argument: Argument<Table[Name]>,
    context: CallContext,
  ) => Promise<Answer<Table[Name]>> | Answer<Table[Name]>;
};

const slots = 4096;
/** Chunks of one answer that the caller has not taken yet. */
const chunksUnderWayMax = 4;

interface CallMessage {
  readonly call: number;
  readonly method: string;
  readonly argument: unknown;
}
interface AnswerMessage {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: { code: string; message: string; line?: number; column?: number };
}
interface EventMessage {
  readonly event: string;
  readonly value: unknown;
}
type Message =
  | CallMessage
  | AnswerMessage
  | EventMessage
  | { readonly cancel: number }
  | { readonly chunkOf: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly taken: number }
  | { readonly flags: Int32Array };

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: readonly TransferListItem[];
  /** Gets the parts that come ahead of the answer, in order. More come when the promises of earlier ones have resolved. */
  readonly onChunk?: (chunk: Uint8Array<ArrayBuffer>) => Promise<void>;
}

export interface RpcCaller<Table> {
  call<Name extends keyof Table & string>(
    method: Name,
    argument: Argument<Table[Name]>,
    options?: CallOptions,
  ): Promise<Answer<Table[Name]>>;
  /** Listens to an event of the other side. */
  onEvent(event: string, listener: (value: unknown) => void): void;
  /** Calls under way. */
  pending(): number;
  /** Rejects every call under way: the other side is gone. */
  fail(error: Error): void;
}

/** For `transfer`: what gives the bytes away with a message; nothing when they share their memory, and must be copied. */
export function wholeBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

/** The calling side. `pendingMax` bounds the calls under way: beyond it calls are refused with "overloaded". */
export function createCaller<Table extends CallTable>(
  port: Port,
  pendingMax = 2000,
): RpcCaller<Table> {
  const flags = new Int32Array(new SharedArrayBuffer(slots * 4));
  const waiting = new Map<
    number,
    {
      resolve: (value: never) => void;
      reject: (error: Error) => void;
      done: () => void;
      onChunk: CallOptions["onChunk"];
    }
  >();
  const listeners = new Map<string, ((value: unknown) => void)[]>();
  let last = 0;
  port.postMessage({ flags } satisfies Message);
  port.on("message", (raw) => {
    const message = raw as Message;
    if ("event" in message) {
      for (const listener of listeners.get(message.event) ?? []) listener(message.value);
      return;
    }
    if ("chunkOf" in message) {
      const { chunkOf, bytes } = message;
      void waiting
        .get(chunkOf)
        ?.onChunk?.(bytes)
        .then(() => port.postMessage({ taken: chunkOf } satisfies Message));
      return;
    }
    if (!("answer" in message)) return;
    const entry = waiting.get(message.answer);
    if (!entry) return;
    waiting.delete(message.answer);
    entry.done();
    if (message.error) entry.reject(reviveError(message.error));
    else entry.resolve(message.value as never);
  });
  return {
    call(method, argument, options = {}) {
      return new Promise((resolve, reject) => {
        if (options.signal?.aborted) return reject(new CancelledError());
        if (waiting.size >= pendingMax)
          return reject(
            new SkoposError("overloaded", "too many calls are waiting; try again shortly"),
          );
        last = (last + 1) | 0;
        const id = last;
        const cancel = () => {
          Atomics.store(flags, Math.abs(id) % slots, id);
          port.postMessage({ cancel: id } satisfies Message);
          waiting.delete(id);
          reject(new CancelledError());
        };
        options.signal?.addEventListener("abort", cancel, { once: true });
        waiting.set(id, {
          resolve,
          reject,
          onChunk: options.onChunk,
          done: () => options.signal?.removeEventListener("abort", cancel),
        });
        port.postMessage({ call: id, method, argument } satisfies Message, options.transfer ?? []);
      });
    },
    onEvent(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    pending: () => waiting.size,
    fail(error) {
      for (const entry of waiting.values()) {
        entry.done();
        entry.reject(error);
      }
      waiting.clear();
    },
  };
}

/** An expected failure that crossed threads; parse errors keep their place. */
class RemoteError extends SkoposError {
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(code: string, message: string, place: { line?: number; column?: number }) {
    super(code, message);
    this.line = place.line;
    this.column = place.column;
  }
}

function reviveError(error: {
  code: string;
  message: string;
  line?: number;
  column?: number;
}): Error {
  return error.code === "cancelled"
    ? new CancelledError(error.message)
    : new RemoteError(error.code, error.message, error);
}

function packError(error: unknown): {
  code: string;
  message: string;
  line?: number;
  column?: number;
} {
  const place: { line?: number; column?: number } = {};
  if (error instanceof Error) {
    if ("line" in error && typeof error.line === "number") place.line = error.line;
    if ("column" in error && typeof error.column === "number") place.column = error.column;
  }
  return {
    code: error instanceof SkoposError ? error.code : "internal",
    message: messageOf(error),
    ...place,
  };
}

/** A call being answered: its cancellation, and the chunks of its answer that are under way. */
class RunningCall {
  /** Made when somebody looks: most calls are over before that. */
  #controller: AbortController | undefined;
  #cancelled = false;
  #underWay = 0;
  #wake = () => {};

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#cancelled) this.#controller.abort(new CancelledError());
    return this.#controller.signal;
  }

  /** Resolves when another chunk may be sent, and counts it. */
  async room(): Promise<void> {
    while (this.#underWay >= chunksUnderWayMax && !this.#cancelled)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#cancelled) throw new CancelledError();
    this.#underWay++;
  }

  taken(): void {
    this.#underWay--;
    this.#wake();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#controller?.abort(new CancelledError());
    this.#wake();
  }
}

/** The answering side. Returns a function that sends events. */
export function serveCalls<Table extends CallTable>(
  port: Port,
  methods: Methods<Table>,
): (event: string, value: unknown, transfer?: readonly TransferListItem[]) => void {
  let flags: Int32Array = new Int32Array(slots);
  const running = new Map<number, RunningCall>();

  const answer = async ({ call, method, argument }: CallMessage) => {
    const own = new RunningCall();
    running.set(call, own);
    const slot = Math.abs(call) % slots;
    const context: CallContext = {
      cancelled: () => Atomics.load(flags, slot) === call,
      get signal() {
        return own.signal;
      },
      async emit(bytes) {
        await own.room();
        port.postMessage({ chunkOf: call, bytes } satisfies Message, [bytes.buffer]);
      },
    };
    try {
      const run = methods[method as keyof Table];
      if (!run) throw new SkoposError("internal", `no such call: ${method}`);
      if (context.cancelled()) throw new CancelledError();
      const value = await run(argument as Argument<Table[keyof Table]>, context);
      port.postMessage({ answer: call, value } satisfies Message);
    } catch (error) {
      port.postMessage({ answer: call, error: packError(error) } satisfies Message);
    } finally {
      running.delete(call);
    }
  };

  port.on("message", (raw) => {
    const message = raw as Message;
    if ("flags" in message) flags = message.flags;
    else if ("cancel" in message) running.get(message.cancel)?.cancel();
    else if ("taken" in message) running.get(message.taken)?.taken();
    else if ("call" in message) void answer(message);
  });
  return (event, value, transfer = []) =>
    port.postMessage({ event, value } satisfies Message, transfer);
}
