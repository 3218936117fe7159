/**
 * A Prometheus that writes to us: every target is scraped at a time of its own, and its series are spread over shards that
 * send when they can. Whatever order the requests come in, nothing is late within an interval, and the head is as small as
 * if the targets had been scraped here.
 */
import { encodeRemoteWrite, RemoteWriteReceiver, remoteWriteHeaders } from "@skopos/ingest";
import { LabelSet, type MetricSink } from "@skopos/model";
import { Head } from "@skopos/store";
import { expect, test } from "vitest";

const targets = 300;
const seriesOfTarget = 20;
const shards = 6;
const steps = 8;
const targetsPerRequest = 50;
const intervalMs = 15_000;
const startMs = 1_700_000_000_000;

/** minstd */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}

/** A head as a sink; nothing of it is on disk. */
function sinkOf(head: Head): MetricSink {
  return {
    openGroup: (key, keeper) => head.openGroup(key, keeper),
    series: (group, labels) => head.series(group, labels),
    appendPage: (...page) => head.appendPage(...page),
    appendHistogram: (...sample) => head.appendHistogram(...sample),
    appendExemplar: (ref, exemplar) => void head.appendExemplar(ref, exemplar),
    closeGroup: (group) => head.closeGroup(group),
    durable: () => Promise.resolve(),
  };
}

const labels = Array.from({ length: targets }, (_, target) =>
  Array.from({ length: seriesOfTarget }, (__, series) =>
    LabelSet.fromMap({ __name__: `m${series}`, instance: `10.0.0.${target}`, job: "mesh" }),
  ),
);

/** What one shard sends in one interval, a request after the other. */
function requestsOf(shard: number, step: number): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  for (let first = 0; first < targets; first += targetsPerRequest)
    bodies.push(
      encodeRemoteWrite(
        labels.slice(first, first + targetsPerRequest).map((all, k) => {
          const own = all.filter((_, series) => (series + first + k) % shards === shard);
          const offsetMs = Math.floor(((first + k) * intervalMs) / targets);
          const timeMs = startMs + step * intervalMs + offsetMs;
          const values = new Float64Array(own.length).fill(step);
          return { type: "page", timeMs, labels: own, values };
        }),
      ),
    );
  return bodies;
}

test("shards that overtake one another leave nothing late and nothing apart", () => {
  const random = seeded(5);
  const head = new Head();
  const receiver = new RemoteWriteReceiver(sinkOf(head), "prometheus", 7);
  const headers = {
    contentType: remoteWriteHeaders["content-type"],
    contentEncoding: remoteWriteHeaders["content-encoding"],
  };
  let appended = 0;
  for (let step = 0; step < steps; step++) {
    const waiting = Array.from({ length: shards }, (_, shard) => requestsOf(shard, step));
    for (;;) {
      const open = waiting.filter((bodies) => bodies.length > 0);
      const body = open[Math.floor(random() * open.length)]?.shift();
      if (!body) break;
      appended += receiver.receive(body, headers, startMs + step * intervalMs).outcome.appended;
    }
  }
  expect(appended).toBe(targets * seriesOfTarget * steps);
  // No window is full yet, as none of a target scraped here would be: rows are times of the target, not of others.
  expect(head.stats()).toMatchObject({ chunks: 0, series: targets * seriesOfTarget });
  // A few targets share a group by chance, and are told apart there, shard by shard.
  const shared = targets - head.stats().groups;
  const families = head.groups().reduce((sum, group) => sum + group.families.length, 0);
  expect(shared).toBeLessThan(20);
  expect(families).toBeLessThanOrEqual(targets + 2 * shards * shared);
  expect(head.groups().filter(({ late }) => late).length).toBeLessThanOrEqual(shared);
});
