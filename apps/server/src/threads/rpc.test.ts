import { MessageChannel } from "node:worker_threads";
import { afterAll, afterEach, expect, test } from "vitest";
import { type CallContext, createCaller, serveCalls, wholeBuffer } from "./rpc.ts";

type Calls = { wait(argument: null): Promise<string> };

const { port1: near, port2: far } = new MessageChannel();
const caller = createCaller<Calls>(near);
let serve: (context: CallContext) => Promise<string> = () => Promise.resolve("");
serveCalls<Calls>(far, { wait: (_, context) => serve(context) });

afterEach(() => {
  serve = () => Promise.resolve("");
});

afterAll(() => near.close());

/** Begins a call, gives it up once it runs, and hands its context to `look`. */
async function givenUp(look: (context: CallContext) => Promise<string>): Promise<string> {
  const client = new AbortController();
  const seen = new Promise<string>((resolve, reject) => {
    serve = (context) => {
      client.abort();
      const answer = look(context);
      answer.then(resolve, reject);
      return answer;
    };
  });
  await expect(caller.call("wait", null, { signal: client.signal })).rejects.toThrow();
  return seen;
}

const aborted = (signal: AbortSignal) =>
  new Promise<string>((resolve) => {
    if (signal.aborted) resolve("was aborted");
    else signal.addEventListener("abort", () => resolve("is aborted"), { once: true });
  });

test("a call that is given up aborts the signal that its method waits on", async () => {
  expect(await givenUp(({ signal }) => aborted(signal))).toBe("is aborted");
});

test("a method that looks at its signal after its call was given up finds it aborted", async () => {
  const seen = await givenUp(async (context) => {
    // Nobody takes the chunks: this waits until the call is known to be given up.
    for (let i = 0; i < 100; i++) {
      try {
        await context.emit(new Uint8Array(1));
      } catch {
        return aborted(context.signal);
      }
    }
    return "went on";
  });
  expect(seen).toBe("was aborted");
});

test("bytes are given away with a message only when nothing else is in their memory", () => {
  const { port1, port2 } = new MessageChannel();
  const alone = new Uint8Array([1, 2]);
  const memory = new Uint8Array([1, 2, 3]);
  const part = memory.subarray(1);
  for (const bytes of [alone, part]) port1.postMessage(bytes, wholeBuffer(bytes));
  expect(alone.byteLength).toBe(0);
  expect([...memory]).toEqual([1, 2, 3]);
  expect(wholeBuffer(new Uint8Array(new SharedArrayBuffer(2)))).toEqual([]);
  port1.close();
  port2.close();
});
