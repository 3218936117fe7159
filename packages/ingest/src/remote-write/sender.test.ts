import { createServer, type IncomingHttpHeaders } from "node:http";
import { FakeClock } from "@skopos/testkit";
import { type Clock, LabelSet, systemClock } from "@skopos/model";
import { afterEach, expect, it } from "vitest";
import { listening } from "../testing/listening.ts";
import { SnappyInflater } from "../wire/snappy.ts";
import { parseRemoteWriteConfig } from "./config.ts";
import { decodeRemoteWrite } from "./decode.ts";
import type { OutgoingItem } from "./outgoing.ts";
import { type OutgoingFrame, RemoteWriteSender } from "./sender.ts";
import { SeriesShortcut } from "./series-shortcut.ts";

interface Got {
  readonly headers: IncomingHttpHeaders;
  /** Series and value of every sample. */
  readonly samples: readonly (readonly [string, number])[];
  readonly metadata: readonly string[];
}
interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A receiver that decodes what it gets and answers as it is told. */
async function receiver(answer: (got: Got, nth: number) => Answer | Promise<Answer>) {
  const taken: Got[] = [];
  let nth = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      void (async () => {
        const got = gotOf(Buffer.concat(chunks), request.headers);
        const { status, headers = {} } = await answer(got, nth++);
        if (status < 300) taken.push(got);
        response.writeHead(status, headers).end(status < 300 ? "" : "no");
      })();
    });
  });
  const { port, stop } = await listening(server);
  closing.push(stop);
  return { url: `http://127.0.0.1:${port}/write`, taken };
}

function gotOf(body: Buffer, headers: IncomingHttpHeaders): Got {
  const { batch } = decodeRemoteWrite(
    body,
    { contentType: headers["content-type"], contentEncoding: headers["content-encoding"] },
    { inflater: new SnappyInflater(), shortcut: new SeriesShortcut(1) },
  );
  const samples = Array.from(batch.values, (value, k) => {
    const labels = batch.series[batch.seriesOf[k] ?? -1];
    return [labels instanceof LabelSet ? labels.get("k") : "?", value] as const;
  });
  return { headers, samples, metadata: [...batch.metadata.keys()] };
}

const series = Array.from({ length: 40 }, (_, k) =>
  LabelSet.fromMap({ __name__: "sent", k: String(k) }),
);

/** Page after page; each has the next value of every series. */
async function* pages(count: number): AsyncGenerator<OutgoingFrame> {
  for (let i = 0; i < count; i++) {
    const item: OutgoingItem = {
      type: "page",
      timeMs: i,
      labels: series,
      values: new Float64Array(series.length).fill(i),
    };
    yield { next: i + 1, item };
  }
}

function senderOf(url: string, settings: object, clock: Clock = systemClock) {
  const text = JSON.stringify({ remote_write: [{ url, ...settings }] });
  const [config] = parseRemoteWriteConfig(text, "test.yml").remotes;
  if (!config) throw new Error("one remote");
  const warnings: string[] = [];
  const positions: number[] = [];
  const sender = new RemoteWriteSender({
    config,
    externalLabels: {},
    clock,
    log: { warn: (_fields, message) => warnings.push(message) },
    onSent: (position) => positions.push(position),
  });
  closing.push(() => sender.close());
  return { sender, warnings, positions };
}

const signal = new AbortController().signal;

it("sends side by side while a receiver is slow, every series in its order, never more at a time than shards", async () => {
  let under = 0;
  let underMax = 0;
  const { url, taken } = await receiver(async () => {
    underMax = Math.max(underMax, ++under);
    await new Promise((resolve) => setTimeout(resolve, 2));
    under--;
    return { status: 200 };
  });
  const queue_config = { max_shards: 4, max_samples_per_send: 25 };
  const { sender, positions } = senderOf(url, { queue_config });
  await sender.run(pages(50), signal);
  expect(underMax).toBeGreaterThan(1);
  expect(underMax).toBeLessThanOrEqual(4);
  const bySeries = new Map<string, number[]>();
  for (const { samples } of taken) {
    expect(samples.length).toBeLessThanOrEqual(25);
    for (const [k, value] of samples) bySeries.set(k, [...(bySeries.get(k) ?? []), value]);
  }
  expect(bySeries.size).toBe(40);
  for (const values of bySeries.values()) expect(values).toEqual([...Array(50).keys()]);
  expect(positions.at(-1)).toBe(50);
  expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  expect(sender.counts).toMatchObject({ sentSamples: 2000, droppedSamples: 0 });
});

it("waits as long as a receiver asks it to, and loses nothing", async () => {
  const clock = new FakeClock();
  const { url, taken } = await receiver((_got, nth) =>
    nth < 2 ? { status: [503, 429][nth] ?? 0, headers: { "retry-after": "90" } } : { status: 204 },
  );
  const { sender } = senderOf(url, { remote_timeout: "1d" }, clock);
  const startedMs = clock.nowMs();
  const running = sender.run(pages(1), signal);
  while (sender.counts.sentSamples === 0) {
    await clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await running;
  expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual(180_000);
  expect(taken).toHaveLength(1);
  expect(sender.counts).toMatchObject({ sentSamples: 40, requests: 3, failedRequests: 2 });
  expect(sender.lastError).toBe("");
});

it("drops and counts what is refused for good, page by page", async () => {
  const { url } = await receiver(({ samples }) => ({
    status: samples.some(([, value]) => value === 1) ? 400 : 200,
  }));
  const { sender, positions, warnings } = senderOf(url, {});
  await sender.run(pages(3), signal);
  expect(sender.counts).toMatchObject({ sentSamples: 80, droppedSamples: 40 });
  expect(positions).toEqual([3]);
  expect(warnings).toHaveLength(1);
});

it("does not ask page by page who may not write at all", async () => {
  const { url } = await receiver(() => ({ status: 403 }));
  const { sender } = senderOf(url, {});
  await sender.run(pages(3), signal);
  expect(sender.counts).toMatchObject({ droppedSamples: 120, requests: 1 });
  expect(sender.lastError).toContain("status 403");
});

it("speaks version 2.0 when the configuration names its message", async () => {
  const { url, taken } = await receiver(() => ({ status: 204 }));
  const { sender } = senderOf(url, { protobuf_message: "io.prometheus.write.v2.Request" });
  sender.noteMetadata(new Map([["sent", { type: "counter", help: "What was sent.", unit: "" }]]));
  await sender.run(pages(1), signal);
  expect(taken.map(({ samples, metadata }) => [samples.length, metadata])).toEqual([
    [40, ["sent"]],
  ]);
  expect(taken[0]?.headers).toMatchObject({
    "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "x-prometheus-remote-write-version": "2.0.0",
  });
});

it("sends metadata by version 1.0, unless it is told not to", async () => {
  const about = new Map([["sent", { type: "counter", help: "What was sent.", unit: "" }]]);
  const { url, taken } = await receiver(() => ({ status: 204 }));
  const { sender } = senderOf(url, {});
  sender.noteMetadata(about);
  await sender.run(pages(1), signal);
  const { sender: silent } = senderOf(url, { metadata_config: { send: false } });
  silent.noteMetadata(about);
  await silent.run(pages(1), signal);
  expect(taken.map(({ metadata }) => metadata)).toEqual([["sent"], [], []]);
  expect(sender.counts.sentMetadata).toBe(1);
});

it("sends histograms and exemplars when it is told to", async () => {
  const [labels = LabelSet.empty] = series;
  const items: OutgoingItem[] = [
    {
      type: "histogram",
      timeMs: 1,
      labels,
      histogram: {
        schema: 0,
        count: 1,
        sum: 1,
        zeroThreshold: 0,
        zeroCount: 1,
        positiveSpans: [],
        positiveBuckets: [],
        negativeSpans: [],
        negativeBuckets: [],
        customValues: [],
        counterReset: "unknown",
      },
    },
    { type: "exemplar", labels, exemplar: { labels: { trace_id: "1" }, value: 1, timeMs: 1 } },
  ];
  async function* frames(): AsyncGenerator<OutgoingFrame> {
    for (const [i, item] of items.entries()) yield { next: i + 1, item };
  }
  const { url } = await receiver(() => ({ status: 204 }));
  const { sender } = senderOf(url, { send_exemplars: true, send_native_histograms: true });
  await sender.run(frames(), signal);
  expect(sender.counts).toMatchObject({ sentSamples: 1, sentHistograms: 1, sentExemplars: 1 });
  const { sender: plain, positions } = senderOf(url, {});
  await plain.run(frames(), signal);
  expect(plain.counts).toMatchObject({ sentHistograms: 0, sentExemplars: 0 });
  expect(positions).toEqual([2]);
});
