import type { LogEngine, LogLine, TailBatch } from "@skopos/model";
import { CancelledError, SkoposError } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { streamsOf } from "./answers.ts";
import { nsRangeOf, stepMsOf, timeNsOf } from "./parameters.ts";
import { tail, type TailSocket } from "./tail.ts";

const line = (text: string, timeNs: bigint, metadata = {}, parsed = {}): LogLine => ({
  timeNs,
  labels: { app: "posts" },
  metadata,
  parsed,
  line: text,
});

describe("Loki's times", () => {
  it.each([
    ["1700000000", 1_700_000_000_000_000_000n],
    ["1700000000.5", 1_700_000_000_500_000_000n],
    ["1700000000123456789", 1_700_000_000_123_456_789n],
    ["2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789n],
    ["2023-11-14T23:13:20+01:00", 1_700_000_000_000_000_000n],
  ])("read %s", (text, ns) => {
    expect(timeNsOf({ start: text }, "start")).toBe(ns);
  });

  it("refuse what is none", () => {
    expect(() => timeNsOf({ start: "soon" }, "start")).toThrow(SkoposError);
  });

  it("reach back as long as since says, and are stepped through in 250 steps", () => {
    const range = nsRangeOf({ since: "3h" }, 1_700_000_000_000);
    expect(range.endNs - range.startNs).toBe(10_800_000_000_000n);
    expect(stepMsOf({}, range)).toBe(44_000);
  });
});

describe("Loki's streams", () => {
  const lines = [
    line("a", 3n, { trace_id: "t1" }),
    line("b", 2n, {}, { level: "error" }),
    line("c", 1n, { trace_id: "t1" }),
  ];

  it("take metadata and parsed labels as labels for clients that know no categories", () => {
    expect(streamsOf(lines, false)).toEqual([
      {
        stream: { app: "posts", trace_id: "t1" },
        values: [
          ["3", "a"],
          ["1", "c"],
        ],
      },
      { stream: { app: "posts", level: "error" }, values: [["2", "b"]] },
    ]);
  });

  it("keep them beside each line for those that do", () => {
    expect(streamsOf(lines, true)).toEqual([
      {
        stream: { app: "posts" },
        values: [
          ["3", "a", { structuredMetadata: { trace_id: "t1" } }],
          ["2", "b", { parsed: { level: "error" } }],
          ["1", "c", { structuredMetadata: { trace_id: "t1" } }],
        ],
      },
    ]);
  });
});

class Socket implements TailSocket {
  bufferedAmount = 0;
  readonly sent: { streams: unknown[]; dropped_entries: unknown[] }[] = [];
  closed: { code: number; reason: string } | undefined;
  #close = () => {};
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Socket["sent"][number]);
  }
  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }
  on(event: "close" | "error", listener: () => void): void {
    if (event === "close") this.#close = listener;
  }
  leave(): void {
    this.#close();
  }
}

/** Hands out batches, then whatever `after` does. */
function engineOf(batches: readonly LogLine[][], after: () => Promise<TailBatch>) {
  let next = 0;
  const asked: bigint[] = [];
  const logs: Pick<LogEngine, "tail"> = {
    tail: ({ position }) => {
      asked.push(position.newestNs);
      const records = batches[next++];
      if (!records) return after();
      const newestNs = records.at(-1)?.timeNs ?? position.newestNs;
      return Promise.resolve({ records, position: { newestNs, seen: [] }, more: true });
    },
  };
  return { logs: logs as LogEngine, asked };
}

describe("a tail", () => {
  it("reads on from where it has got to until the client leaves", async () => {
    const socket = new Socket();
    const { logs, asked } = engineOf([[line("a", 5n)], [line("b", 7n)]], () => {
      socket.leave();
      return Promise.reject(new CancelledError());
    });
    await tail(socket, { logs, query: "{}", startNs: 1n, limit: 10, categorised: false });
    expect(asked).toEqual([0n, 5n, 7n]);
    expect(socket.sent).toHaveLength(2);
    expect(socket.closed).toBeUndefined();
  });

  it("leaves out what a slow client cannot take, and tells it", async () => {
    const socket = new Socket();
    socket.bufferedAmount = 2 ** 30;
    const { logs } = engineOf([[line("a", 5n)], [line("b", 7n)]], () => {
      socket.leave();
      return Promise.reject(new CancelledError());
    });
    const watched: Pick<LogEngine, "tail"> = {
      tail: (request) => {
        if (request.position.newestNs === 5n) socket.bufferedAmount = 0;
        return logs.tail(request);
      },
    };
    await tail(socket, {
      logs: watched as LogEngine,
      query: "{}",
      startNs: 1n,
      limit: 10,
      categorised: false,
    });
    expect(socket.sent).toMatchObject([
      { streams: [{ values: [["7", "b"]] }], dropped_entries: [{ timestamp: "5" }] },
    ]);
  });

  it.each([
    ["bad-query", 1008],
    ["unavailable", 1011],
  ])("closes with the reason when the query fails with %s", async (problem, code) => {
    const socket = new Socket();
    const failing = () => Promise.reject(new SkoposError(problem, "no such stage"));
    const { logs } = engineOf([], failing);
    await tail(socket, { logs, query: "{", startNs: 1n, limit: 10, categorised: false });
    expect(socket.closed).toEqual({ code, reason: "no such stage" });
  });
});
