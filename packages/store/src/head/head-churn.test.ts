/**
 * A simulated week of a small mesh whose pods come and go: nothing grows for ever, neither memory nor files nor names, and
 * what is kept is right. Time is simulated; the head's retention and checkpoints run as they do in the program.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, LabelSet, staleNaN, systemClock, writeNaN } from "@skopos/model";
import { FakeClock, samplesOf } from "@skopos/testkit";
import { expect, test } from "vitest";
import { JournalReader } from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";
import { HeadView } from "./head-view.ts";
import { MetricStore } from "./metric-store.ts";
import { histogramOf } from "./testing/histogram-of.ts";

const minute = 60_000;
const hour = 60 * minute;
const days = 7;
const retentionMs = 2 * hour;
const workloads = 12;
const membersOfPod = 70;
const lifeMs = 40 * minute;

interface Pod {
  readonly key: string;
  readonly refs: Uint32Array;
  readonly bornMs: number;
}

function startPod(store: MetricStore, workload: number, nowMs: number): Pod {
  const key = `pod ${workload} ${nowMs}`;
  const group = store.openGroup(key);
  const refs = Uint32Array.from({ length: membersOfPod }, (_, i) => {
    const labels = { __name__: "m", pod: key, workload: String(workload), le: String(i) };
    return store.series(group, LabelSet.fromMap(labels)) ?? 0;
  });
  return { key, refs, bornMs: nowMs };
}

/** The scraper's last words for a target that has gone. */
function endPod(store: MetricStore, pod: Pod, nowMs: number): void {
  const group = store.openGroup(pod.key);
  const markers = new Float64Array(pod.refs.length);
  for (let i = 0; i < markers.length; i++) writeNaN(markers, i, staleNaN);
  store.appendPage(group, nowMs, pod.refs, markers, markers.length);
  store.closeGroup(group);
}

function scrape(store: MetricStore, pod: Pod, nowMs: number): void {
  const group = store.openGroup(pod.key);
  const values = new Float64Array(pod.refs.length).fill((nowMs - pod.bornMs) / 1000);
  store.appendPage(group, nowMs, pod.refs, values, values.length);
  const [first = 0] = pod.refs;
  // Late by some seconds, as another sender would be. Few: their memory goes a segment at a time.
  if (nowMs % (7 * minute) === 0 && pod.key.startsWith("pod 0 "))
    store.appendHistogram(group, first, nowMs - 20_000, histogramOf(1 + (nowMs % 5)));
  store.appendExemplar(first, { timeMs: nowMs, value: 1, labels: { trace_id: pod.key } });
}

async function sizeOf(dir: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(dir, { recursive: true })) {
    const found = await stat(join(dir, name));
    if (found.isFile()) bytes += found.size;
  }
  return bytes;
}

test("a week of pods that come and go leaves memory, names and files as they were after a day", async () => {
  const dir = await mkdtemp(join(tmpdir(), "skopos-churn-"));
  const timers = new FakeClock(1_700_000_040_000);
  // What the journal waits for is real; what the head waits for is simulated.
  const real: Clock = { ...systemClock, nowMs: () => timers.nowMs() };
  const journal = await Journal.open({
    dir: join(dir, "journal"),
    clock: real,
    segmentBytesMax: 2 ** 20,
    bytesMax: 2 ** 30,
    fsyncMs: 1,
  });
  const journalReader = await JournalReader.open({ dir: join(dir, "journal") });
  const clock: Clock = {
    nowMs: () => timers.nowMs(),
    monotonicMs: () => timers.monotonicMs(),
    after: (ms, task) => timers.after(ms, task),
  };
  const head = { exemplarsMax: 500, chunkBytesMax: 2 ** 26 };
  const store = await MetricStore.open({
    dir: join(dir, "head"),
    journal,
    journalReader,
    clock,
    retentionMs,
    head,
  });
  const view = new HeadView(store.share());
  let pods = Array.from({ length: workloads }, (_, i) =>
    startPod(store, i, timers.nowMs() - i * 3 * minute),
  );
  const daily: { bytes: number; series: number; disk: number }[] = [];
  let peak = { bytes: 0, series: 0, disk: 0 };
  for (let step = 1; step <= days * 24 * 60; step++) {
    await timers.advance(minute);
    const nowMs = timers.nowMs();
    pods = pods.map((pod, i) => {
      if (nowMs - pod.bornMs < lifeMs) return pod;
      endPod(store, pod, nowMs);
      return startPod(store, i, nowMs);
    });
    for (const pod of pods) scrape(store, pod, nowMs);
    if (step % 120 === 0) {
      await journal.truncateBefore(await store.checkpoint());
      peak.disk = Math.max(peak.disk, await sizeOf(dir));
      await view.labelNames({ matcherSets: [], startMs: nowMs - minute, endMs: nowMs, limit: 1 });
    }
    const { bytes, series } = store.stats();
    peak.bytes = Math.max(peak.bytes, bytes);
    peak.series = Math.max(peak.series, series);
    if (step % (24 * 60) !== 0) continue;
    daily.push(peak);
    peak = { bytes: 0, series: 0, disk: 0 };
  }
  // So many pods a workload had in the time that is kept, one that ended before it, and one more at the border.
  const seriesMax = workloads * membersOfPod * (retentionMs / lifeMs + 2);
  for (const day of daily.slice(1)) {
    expect(day.series).toBeLessThanOrEqual(seriesMax);
    expect(day.bytes).toBeLessThan((daily[1]?.bytes ?? 0) * 1.15);
    expect(day.disk).toBeLessThan((daily[1]?.disk ?? 0) * 1.15);
  }
  const range = { startMs: timers.nowMs() - hour, endMs: timers.nowMs() };
  const request = { matchers: [], ...range, seriesMax: 1e5, samplesMax: 1e7 };
  const seen = samplesOf(await view.select(request));
  expect(seen).toEqual(samplesOf(await store.reader().select(request)));
  const newest = pods[0]!;
  const age = (timers.nowMs() - newest.bornMs) / 1000;
  expect(seen.get(`m{le="1", pod="${newest.key}", workload="0"}`)).toMatch(new RegExp(`:${age}$`));
  await store.close();
  await journalReader.close();
  await journal.close();
  await rm(dir, { recursive: true, force: true });
}, 120_000);
