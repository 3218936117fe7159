/** The contract of metric readers, and the engine, against real Prometheus-compatible servers. */
import { encodeRemoteWrite, remoteWriteHeaders, type SamplePage } from "@skopos/ingest";
import {
  LabelSet,
  type MetricReader,
  type MetricSelect,
  staleNaN,
  systemClock,
  writeNaN,
} from "@skopos/model";
import { createPrometheusEngine, createPrometheusReader } from "@skopos/store";
import { type ContractPage, metricReaderContract, type OpenReader } from "@skopos/testkit";
import { afterAll, describe, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { type Peer, startPrometheus, startVictoriaMetrics } from "./peers.ts";

/** The contract's samples are of 1970; servers want them to be of now. */
const shiftMs = Math.floor(Date.now() / 1000 - 600) * 1000;

function pageOf({ timeMs, samples }: ContractPage): SamplePage {
  const values = new Float64Array(samples.length);
  for (const [i, [, value]] of samples.entries())
    if (value === "stale") writeNaN(values, i, staleNaN);
    else values[i] = value;
  return {
    type: "page",
    timeMs: timeMs + shiftMs,
    labels: samples.map(([labels]) => LabelSet.fromMap(labels)),
    values,
  };
}

/** A reader whose times are `shiftMs` earlier. */
function shifted(reader: MetricReader): MetricReader {
  const later = <Range extends { startMs: number; endMs: number }>(range: Range): Range => ({
    ...range,
    startMs: range.startMs + shiftMs,
    endMs: range.endMs + shiftMs,
  });
  return {
    async select(request: MetricSelect) {
      const block = await reader.select(later(request));
      return { ...block, times: block.times.map((column) => column.map((t) => t - shiftMs)) };
    },
    series: (request) => reader.series(later(request)),
    labelNames: (request) => reader.labelNames(later(request)),
    labelValues: (name, request) => reader.labelValues(name, later(request)),
  };
}

async function push(peer: Peer, pages: readonly ContractPage[]): Promise<void> {
  for (const page of pages) {
    const response = await fetch(peer.writeUrl, {
      method: "POST",
      headers: remoteWriteHeaders,
      body: encodeRemoteWrite([pageOf(page)]),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }
}

const servers: readonly {
  readonly name: string;
  readonly start: (dir: string) => Promise<Peer>;
  /** Case → why the server cannot keep it. */
  readonly left: Readonly<Record<string, string>>;
}[] = [
  {
    name: "Prometheus",
    start: (dir) => startPrometheus(dir, { global: {} }),
    left: {
      "staleness markers and special values come back as they were":
        "an answer of the HTTP API has no staleness markers",
      "over the limit of series or samples a select is refused":
        "the samples it counts include a staleness marker",
      "lists only what has samples in the range": "a head answers for all of its two hours",
    },
  },
  {
    name: "VictoriaMetrics",
    start: async (dir) => startVictoriaMetrics(dir),
    left: {
      "staleness markers and special values come back as they were":
        "an answer of the HTTP API has no staleness markers",
      "lists only what has samples in the range": "names are indexed by day",
    },
  },
];

const scratch = scratchDir();
const peers: Peer[] = [];
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.kill()));
  scratch.remove();
});

describe.each(servers)("$name as a remote engine", ({ name, start, left }) => {
  const stores = new Map<readonly ContractPage[], Promise<Peer>>();
  /** The cases ask and do not write: those with the same pages share a server. */
  const peerOf = (pages: readonly ContractPage[]) => {
    let peer = stores.get(pages);
    if (!peer) {
      peer = (async () => {
        const started = await start(`${scratch.dir}/${name}-${stores.size}`);
        peers.push(started);
        await push(started, pages);
        const probe = createPrometheusReader({ url: started.url, clock: systemClock });
        const count = new Set(
          pages.flatMap(({ samples }) => samples.map(([labels]) => LabelSet.fromMap(labels).key)),
        ).size;
        const all = { matcherSets: [], startMs: shiftMs, endMs: shiftMs + 1e6, limit: 100 };
        await until(
          "what was pushed can be found",
          async () => (await probe.series(all)).length >= count || undefined,
          30_000,
          100,
        );
        return started;
      })();
      stores.set(pages, peer);
    }
    return peer;
  };
  const open = async (pages: readonly ContractPage[]): Promise<OpenReader> => {
    const { url } = await peerOf(pages);
    const reader = shifted(createPrometheusReader({ url, clock: systemClock }));
    return { reader, close: () => Promise.resolve() };
  };
  let pushed: readonly ContractPage[] | undefined;

  for (const { name: behaviour, run } of metricReaderContract((pages) => {
    pushed ??= pages;
    return open(pages);
  }))
    it.skipIf(left[behaviour])(behaviour, run, 90_000);

  it("answers queries as an engine, with errors in our words", async () => {
    const { url } = await peerOf(pushed ?? []);
    const engine = createPrometheusEngine({ url });
    const timeMs = shiftMs + 3000;
    const { value } = await engine.instant({ query: 'sum by (job) (up{job="a"})', timeMs });
    expect(value).toEqual({
      type: "vector",
      samples: [{ labels: { job: "a" }, timeMs, value: 3.5 }],
    });
    const range = await engine.range({
      query: 'up{instance="1"} * 2',
      startMs: shiftMs + 1000,
      endMs: timeMs,
      stepMs: 1000,
    });
    expect(range.value).toMatchObject({ type: "matrix", series: [{ labels: { instance: "1" } }] });
    const [series] = range.value.type === "matrix" ? range.value.series : [];
    expect([...(series?.values ?? [])]).toEqual([2, 4, 6]);
    await expect(engine.instant({ query: "sum((", timeMs })).rejects.toMatchObject({
      code: expect.stringMatching(/bad-query|execution/) as string,
    });
    const gone = new AbortController();
    gone.abort();
    await expect(
      engine.instant({ query: "up", timeMs, signal: gone.signal }),
    ).rejects.toMatchObject({ code: "cancelled" });
  }, 90_000);

  it("says that it does not answer when it is not there", async () => {
    const engine = createPrometheusEngine({ url: "http://127.0.0.1:1" });
    await expect(engine.instant({ query: "up", timeMs: 0 })).rejects.toMatchObject({
      code: "unavailable",
    });
  });
});
