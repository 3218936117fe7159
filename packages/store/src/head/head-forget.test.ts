/**
 * Series that come and go inside a group that stays, as behind one sender of remote write: they are forgotten with their
 * last sample, their refs and columns become others', and no reader, restart or keeper of refs ever takes one for another.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, LabelSet, type RefKeeper, type SeriesRef, systemClock } from "@skopos/model";
import { bitsOf, FakeClock, PlainMetricStore, samplesOf } from "@skopos/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JournalReader } from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";
import { FoldedDefinitions } from "./definitions.ts";
import { HeadView } from "./head-view.ts";
import { Head } from "./head.ts";
import { groupWord, groupWords, windowRows } from "./memory.ts";
import { MetricStore } from "./metric-store.ts";

const stepMs = 30_000;
const retentionMs = 60 * 60_000;

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-forget-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const labelsOf = (pod: number, member: number) =>
  LabelSet.fromMap({ __name__: "m", pod: `p${pod}`, le: String(member) });

type Sink = Pick<Head, "openGroup" | "series" | "appendPage">;

/** A sender that asks for a ref once and keeps it until it is told otherwise. */
class Sender implements RefKeeper {
  readonly #refs = new Map<string, SeriesRef>();
  forgotten = 0;

  forget(gone: ReadonlySet<SeriesRef>): void {
    this.forgotten += gone.size;
    for (const [key, ref] of this.#refs) if (gone.has(ref)) this.#refs.delete(key);
  }

  /** Returns how many were appended. */
  send(sink: Sink, timeMs: number, all: readonly LabelSet[], values: Float64Array): number {
    const group = sink.openGroup("sender", this);
    const refs = Uint32Array.from(all, (labels) => {
      const ref = this.#refs.get(labels.key) ?? sink.series(group, labels) ?? -1;
      this.#refs.set(labels.key, ref);
      return ref;
    });
    return sink.appendPage(group, timeMs, refs, values, refs.length).appended;
  }
}

/** Pods that live a while each, some of whose samples come late. */
class Pods {
  readonly #random: () => number;
  #live: number[] = [];
  #last = 0;
  readonly late: { timeMs: number; pods: number[] }[] = [];

  constructor(random: () => number, count: number) {
    this.#random = random;
    this.#live = Array.from({ length: count }, () => this.#last++);
  }

  step(timeMs: number): number[] {
    const random = this.#random;
    // A pod that is gone may come back under its name.
    this.#live = this.#live.map((pod) => {
      if (random() > 0.02) return pod;
      return random() < 0.2 ? Math.floor(random() * this.#last) : this.#last++;
    });
    this.#live = [...new Set(this.#live)];
    while (this.#live.length < 12) this.#live.push(this.#last++);
    const now = this.#live.filter(() => random() > 0.03);
    const later = this.#live.filter((pod) => !now.includes(pod));
    if (later.length > 0 && random() < 0.5) this.late.push({ timeMs, pods: later });
    return now;
  }
}

function sendPods(
  sender: Sender,
  sink: Sink,
  plain: PlainMetricStore,
  timeMs: number,
  pods: readonly number[],
): void {
  const all = pods.flatMap((pod) => [0, 1, 2, 3].map((member) => labelsOf(pod, member)));
  const values = Float64Array.from(all, (_, i) => timeMs / 1000 + i);
  expect(sender.send(sink, timeMs, all, values)).toBe(all.length);
  for (const [i, labels] of all.entries()) plain.add(labels, timeMs, bitsOf(values, i));
}

async function expectSame(
  head: { reader(): PlainMetricStore | ReturnType<Head["reader"]> },
  view: HeadView,
  plain: PlainMetricStore,
  fromMs: number,
): Promise<void> {
  const range = { startMs: fromMs - 1, endMs: 1e15 };
  for (const value of ["p.*", "p[0-9]*7"]) {
    const matchers = [{ op: "=~", name: "pod", value } as const];
    const request = { matchers, ...range, seriesMax: 1e5, samplesMax: 1e7 };
    const expected = samplesOf(await plain.select(request));
    expect(samplesOf(await head.reader().select(request))).toEqual(expected);
    expect(samplesOf(await view.select(request))).toEqual(expected);
  }
  // What is left of older samples is still of the series that it says.
  const whole = { matchers: [], startMs: 0, endMs: 1e15, seriesMax: 1e5, samplesMax: 1e7 };
  const all = samplesOf(await plain.select(whole));
  for (const [series, text] of samplesOf(await view.select(whole))) {
    const known = new Set(all.get(series)?.split(" "));
    expect(text.split(" ").filter((sample) => !known.has(sample))).toEqual([]);
  }
}

test.each([1, 2, 3, 4])(
  "what is left in the head is right, whatever was forgotten (seed %i)",
  async (seed) => {
    const random = seeded(seed);
    const head = new Head();
    const plain = new PlainMetricStore();
    const view = new HeadView(head.share());
    const sender = new Sender();
    const pods = new Pods(random, 12);
    let cutoffMs = 0;
    let restMs = 0;
    let seriesPeak = 0;
    let bytesEarly = 0;
    let isRebuilding = false;
    for (let step = 1; step <= 1500; step++) {
      // Now and then everything rests for longer than the head keeps anything.
      if (random() < 0.01) {
        restMs += 2 * retentionMs;
        pods.late.length = 0;
      }
      const timeMs = 10_000_000 + step * stepMs + restMs;
      sendPods(sender, head, plain, timeMs, pods.step(timeMs));
      const due = pods.late.findIndex((page) => page.timeMs < timeMs - 4 * stepMs);
      for (const late of due < 0 ? [] : pods.late.splice(due, 1))
        sendPods(sender, head, plain, late.timeMs, late.pods);
      if (random() < 0.3) {
        cutoffMs = timeMs - retentionMs;
        while (!head.dropBefore(cutoffMs));
      }
      const wasRebuilding = isRebuilding;
      if (isRebuilding || random() < 0.01)
        isRebuilding = !head.rebuildIndex(1 + Math.floor(40 * random()));
      if (step % 50 === 0 || (wasRebuilding && (!isRebuilding || random() < 0.03)))
        await expectSame(head, view, plain, cutoffMs);
      const { series, bytes } = head.stats();
      seriesPeak = Math.max(seriesPeak, series);
      if (step === 500) bytesEarly = bytes;
    }
    // Of some 370 pods with four series each, those of the last hour, and of a window before.
    expect(sender.forgotten).toBeGreaterThan(600);
    expect(seriesPeak).toBeLessThan(400);
    expect(head.stats().bytes).toBeLessThan(2 * bytesEarly);
  },
);

test("a reader that has not heard of it must not take a column for the one it was", () => {
  const head = new Head();
  const sender = new Sender();
  const group = head.openGroup("sender", sender);
  const gone = [labelsOf(1, 0)];
  const stays = [labelsOf(2, 0), labelsOf(2, 1)];
  sender.send(head, 1000, [...gone, ...stays], Float64Array.of(1, 2, 3));
  const folded = new FoldedDefinitions(head.share());
  const definedAt = () => {
    const table = new Int32Array(head.share().groups);
    return table[group * groupWords + groupWord.definedAt] ?? 0;
  };
  folded.catalog();
  expect(folded.covers(definedAt())).toBe(true);
  sender.send(head, 9000, stays, Float64Array.of(4, 5));
  while (!head.dropBefore(5000));
  expect(sender.forgotten).toBe(0);
  for (let row = 0; row < windowRows; row++)
    sender.send(head, 9001 + row, stays, Float64Array.of(row, 2 * row));
  while (!head.dropBefore(9031));
  expect(sender.forgotten).toBe(1);
  expect(folded.covers(definedAt())).toBe(false);
  folded.catalog();
  expect(folded.covers(definedAt())).toBe(true);
});

async function openStore(clock: Clock) {
  const journalDir = join(dir, "journal");
  const limits = { segmentBytesMax: 65_536, bytesMax: 1e9, fsyncMs: 1 };
  const journal = await Journal.open({ dir: journalDir, clock: systemClock, ...limits });
  const journalReader = await JournalReader.open({ dir: journalDir });
  const store = await MetricStore.open({ dir, journal, journalReader, clock, retentionMs });
  await store.whole();
  const close = async () => {
    await store.close();
    await journalReader.close();
    await journal.close();
  };
  return { store, journal, close, view: new HeadView(store.share()) };
}

test.each([5, 6])(
  "a restart brings every series back under its own name (seed %i)",
  async (seed) => {
    const random = seeded(seed);
    const timers = new FakeClock(1_700_000_000_000);
    const clock: Clock = {
      nowMs: () => timers.nowMs(),
      monotonicMs: () => timers.monotonicMs(),
      after: (ms, task) => (ms === 0 ? systemClock.after(0, task) : timers.after(ms, task)),
    };
    let opened = await openStore(clock);
    const plain = new PlainMetricStore();
    const pods = new Pods(random, 12);
    let sender = new Sender();
    let forgotten = 0;
    for (let step = 1; step <= 700; step++) {
      await timers.advance(stepMs);
      const timeMs = timers.nowMs();
      sendPods(sender, opened.store, plain, timeMs, pods.step(timeMs));
      if (random() < 0.04) await opened.journal.truncateBefore(await opened.store.checkpoint());
      if (random() < 0.01) {
        await opened.store.durable();
        await opened.close();
        forgotten += sender.forgotten;
        sender = new Sender();
        opened = await openStore(clock);
        expect(opened.store.restored.warnings).toEqual([]);
      }
      if (step % 20 === 0)
        await expectSame(opened.store, opened.view, plain, timeMs - retentionMs + 2 * stepMs);
    }
    expect(forgotten + sender.forgotten).toBeGreaterThan(150);
    expect(opened.store.stats().series).toBeLessThan(400);
    await opened.close();
  },
);
