import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Clock, LabelSet, SkoposError, staleNaN, systemClock, writeNaN } from "@skopos/model";
import { FakeClock, samplesOf } from "@skopos/testkit";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JournalReader } from "../journal/journal-reader.ts";
import { Journal, type JournalWriter } from "../journal/journal.ts";
import { MetricStore, type MetricStoreOptions } from "./metric-store.ts";
import { snapshotPath } from "./snapshot.ts";
import { histogramOf } from "./testing/histogram-of.ts";

const everything = { matchers: [], startMs: 0, endMs: 1e15, seriesMax: 1e5, samplesMax: 1e7 };
let dir = "";

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-head-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

interface Opened {
  readonly store: MetricStore;
  readonly journal: Journal;
  close(): Promise<void>;
}

async function openStore(
  at = dir,
  options: Partial<MetricStoreOptions> & { nowMs?: number } = {},
): Promise<Opened> {
  const clock: Clock = { ...systemClock, nowMs: () => options.nowMs ?? 2_000_000 };
  const journalDir = join(at, "journal");
  const limits = { segmentBytesMax: 4096, bytesMax: 1e9, fsyncMs: 1 };
  const journal = await Journal.open({ dir: journalDir, clock: systemClock, ...limits });
  const journalReader = await JournalReader.open({ dir: journalDir });
  const store = await MetricStore.open({ dir: at, journal, journalReader, clock, ...options });
  const close = async () => {
    await store.close();
    await journalReader.close();
    await journal.close();
  };
  return { store, journal, close };
}

function append(
  store: MetricStore,
  group: string,
  timeMs: number,
  samples: readonly (readonly [string, number | "stale"])[],
): void {
  const ref = store.openGroup(group);
  const refs = new Uint32Array(samples.length);
  const values = new Float64Array(samples.length);
  for (const [i, [member, value]] of samples.entries()) {
    refs[i] = store.series(ref, LabelSet.fromMap({ __name__: "m", member, le: "1" }))!;
    if (value === "stale") writeNaN(values, i, staleNaN);
    else values[i] = value;
  }
  store.appendPage(ref, timeMs, refs, values, samples.length);
}

async function contentOf(store: MetricStore): Promise<Map<string, string>> {
  return samplesOf(await store.reader().select(everything));
}

test("what was durable is there after a restart, from the journal alone", async () => {
  const first = await openStore();
  for (let i = 0; i < 100; i++)
    append(first.store, "g", 1_000_000 + i, [
      ["a", i],
      ["b", i / 3],
      ["c", i === 50 ? "stale" : 7],
    ]);
  await first.store.durable();
  const before = await contentOf(first.store);
  await first.close();
  const second = await openStore();
  expect(second.store.restored).toEqual({ snapshotSamples: 0, replayedSamples: 300, warnings: [] });
  expect(await contentOf(second.store)).toEqual(before);
  await second.close();
});

test("a checkpoint lets go of the journal and keeps every sample", async () => {
  const first = await openStore();
  const page = (i: number) => append(first.store, `g${i % 3}`, 1_000_000 + i, [[String(i % 5), i]]);
  for (let i = 0; i < 500; i++) page(i);
  const checkpoint = first.store.checkpoint();
  for (let i = 500; i < 700; i++) page(i);
  const position = await checkpoint;
  await first.store.durable();
  await first.journal.truncateBefore(position);
  expect(first.journal.firstPosition).toBeGreaterThan(0);
  const before = await contentOf(first.store);
  await first.close();
  const second = await openStore();
  const { snapshotSamples, replayedSamples, warnings } = second.store.restored;
  expect(warnings).toEqual([]);
  expect(snapshotSamples).toBeGreaterThanOrEqual(500);
  expect(snapshotSamples + replayedSamples).toBe(700);
  expect(await contentOf(second.store)).toEqual(before);
  append(second.store, "g0", 1_000_900, [["0", 1]]);
  expect((await contentOf(second.store)).get('m{le="1", member="0"}')).toMatch(/ 1000900:1$/);
  await second.close();
});

/** All there is, histograms by their count, with the exemplars. */
async function wholeOf(store: MetricStore): Promise<unknown> {
  const block = await store.reader().select(everything);
  for (const [index, { count }] of block.histograms ?? [])
    writeNaN(block.values, index, { high: 0x7ff8_4849, low: count });
  const request = { matcherSets: [], startMs: 0, endMs: 1e15, limit: 1e6 };
  const exemplars = await store.reader().exemplars(request);
  return [
    samplesOf(block),
    exemplars.toSorted((x, y) => (x.labels["member"]! < y.labels["member"]! ? -1 : 1)),
  ];
}

/** What the pages of the property below do besides: some samples become histograms, some bring exemplars. */
function appendBeside(store: MetricStore, group: string, timeMs: number, count: number): void {
  const ref = store.openGroup(group);
  const labels = LabelSet.fromMap({ __name__: "h", member: String(count % 3) });
  const series = store.series(ref, labels)!;
  store.appendHistogram(ref, series, timeMs, histogramOf(count));
  if (count % 2 === 0)
    store.appendExemplar(series, { timeMs, value: count / 3, labels: { trace_id: `t${timeMs}` } });
}

test("restarts and checkpoints at any moment change nothing, whether chunks are recent or old", async () => {
  const step = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        group: fc.nat(2),
        move: fc.oneof(
          { weight: 5, arbitrary: fc.constant(1000) },
          { weight: 1, arbitrary: fc.constant(120_000) },
          fc.integer({ min: -9000, max: 0 }),
        ),
        samples: fc.array(
          fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.double({ noNaN: true })),
          {
            maxLength: 6,
          },
        ),
        times: fc.integer({ min: 1, max: 40 }),
        histogram: fc.nat(20),
      }),
    },
    { weight: 1, arbitrary: fc.constant("restart" as const) },
    { weight: 2, arbitrary: fc.constant("checkpoint" as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const at = await mkdtemp(join(dir, "run-"));
      const options = { nowMs: 3_000_000 };
      let opened = await openStore(at, options);
      let timeMs = 1_500_000;
      for (const taken of steps) {
        options.nowMs = Math.max(options.nowMs, timeMs);
        if (taken === "checkpoint")
          await opened.journal.truncateBefore(await opened.store.checkpoint());
        else if (taken === "restart") {
          await opened.store.durable();
          const before = await wholeOf(opened.store);
          await opened.close();
          opened = await openStore(at, options);
          await opened.store.whole();
          expect(opened.store.restored.warnings).toEqual([]);
          expect(opened.store.restoreWarnings).toEqual([]);
          expect(await wholeOf(opened.store)).toEqual(before);
        } else
          for (let i = 0; i < taken.times; i++) {
            timeMs += taken.move;
            append(opened.store, `g${taken.group}`, timeMs, taken.samples);
            if (taken.histogram > 0)
              appendBeside(opened.store, `g${taken.group}`, timeMs, taken.histogram);
            if (taken.move < 0) timeMs -= taken.move;
          }
      }
      await opened.close();
    }),
    { numRuns: 40 },
  );
}, 120_000);

test("chunks that have become old are written once and come back after what is recent", async () => {
  const opened = await openStore(dir, { nowMs: 20_000_000 });
  const page = (i: number) => append(opened.store, `g${i % 4}`, 15_000_000 + i * 1000, [["a", i]]);
  for (let i = 0; i < 2000; i++) page(i);
  await opened.store.checkpoint();
  const olderFiles = async () => (await readdir(dir)).filter((name) => name.startsWith("older-"));
  const [first = ""] = await olderFiles();
  const written = (await stat(join(dir, first))).size;
  for (let i = 2000; i < 2300; i++) page(i);
  await opened.store.checkpoint();
  const [, second = ""] = await olderFiles();
  expect((await stat(join(dir, second))).size).toBeLessThan(written / 2);
  await opened.store.durable();
  const before = await contentOf(opened.store);
  await opened.close();
  const again = await openStore(dir, { nowMs: 20_000_000 });
  expect(again.store.restored.snapshotSamples).toBeLessThan(200);
  expect(again.store.restoring).toMatchObject({ filesDone: 0, filesTotal: 2 });
  await again.store.whole();
  expect(again.store.restoring).toBeUndefined();
  expect(await contentOf(again.store)).toEqual(before);
  await again.close();
});

test("a missing file of older chunks costs these chunks and is told", async () => {
  const opened = await openStore(dir, { nowMs: 20_000_000 });
  for (let i = 0; i < 100; i++) append(opened.store, "g", 15_000_000 + i * 1000, [["a", i]]);
  await opened.store.checkpoint();
  await opened.close();
  await rm(join(dir, "older-1.chunks"));
  const again = await openStore(dir, { nowMs: 20_000_000 });
  await again.store.whole();
  expect(again.store.restoreWarnings.join()).toMatch(/older-1\.chunks.*missing/);
  const [series] = (await contentOf(again.store)).values();
  expect(series).toMatch(/^15096000:96 /);
  await again.close();
});

test("exemplars beyond one section of a snapshot come back, all of them", async () => {
  const opened = await openStore();
  const group = opened.store.openGroup("g");
  const ref = opened.store.series(group, LabelSet.fromMap({ __name__: "m" }))!;
  opened.store.appendPage(group, 1_000_000, Uint32Array.of(ref), Float64Array.of(1), 1);
  for (let i = 0; i < 4500; i++)
    opened.store.appendExemplar(ref, { timeMs: 1_000_000 + i, value: i, labels: { id: `${i}` } });
  await opened.store.checkpoint();
  const before = await wholeOf(opened.store);
  await opened.close();
  const again = await openStore();
  expect(again.store.stats().exemplars).toBe(4500);
  expect(await wholeOf(again.store)).toEqual(before);
  await again.close();
});

test("files of older chunks go with what they hold", async () => {
  const options = { nowMs: 20_000_000, retentionMs: 6_000_000 };
  const opened = await openStore(dir, options);
  for (let i = 0; i < 100; i++) append(opened.store, "g", 15_000_000 + i * 1000, [["a", i]]);
  await opened.store.checkpoint();
  expect(await readdir(dir)).toContain("older-1.chunks");
  options.nowMs = 22_000_000;
  await opened.store.checkpoint();
  expect((await readdir(dir)).filter((name) => name.startsWith("older-"))).toEqual([]);
  await opened.close();
});

test("a damaged snapshot is told apart and the journal replayed whole", async () => {
  const first = await openStore();
  for (let i = 0; i < 200; i++) append(first.store, `g${i % 4}`, 1_000_000 + i, [["a", i]]);
  await first.store.checkpoint();
  await first.store.durable();
  const before = await contentOf(first.store);
  await first.close();
  const whole = await readFile(snapshotPath(dir));
  for (const damage of ["cut", "flip"] as const) {
    if (damage === "cut") await truncate(snapshotPath(dir), whole.length - 20);
    else {
      const flipped = Buffer.from(whole);
      flipped[whole.length >> 1]! ^= 4;
      await writeFile(snapshotPath(dir), flipped);
    }
    const again = await openStore();
    expect(again.store.restored.warnings.join()).toMatch(/head\.snapshot.*replayed whole/);
    expect(await contentOf(again.store)).toEqual(before);
    await again.close();
  }
});

test("what is older than the retention goes, group after group, while the clock runs on", async () => {
  const timers = new FakeClock(2_000_000);
  let ticks = 0;
  const clock: Clock = {
    nowMs: () => timers.nowMs() + ticks++,
    monotonicMs: () => timers.monotonicMs(),
    after: (delayMs, task) => timers.after(delayMs, task),
  };
  const opened = await openStore(dir, { clock, retentionMs: 500_000 });
  for (let group = 0; group < 300; group++)
    for (let i = 0; i < 33; i++) append(opened.store, `g${group}`, 1_600_000 + i, [["a", i]]);
  expect(opened.store.stats().chunks).toBe(300);
  await timers.advance(95_000);
  expect(opened.store.stats().chunks).toBe(300);
  await timers.advance(40_000);
  expect(opened.store.stats()).toMatchObject({ chunks: 0, groups: 300, oldestMs: 1_600_032 });
  await opened.close();
});

test("a full disk is told to who asks, and memory has the sample all the same", async () => {
  const opened = await openStore();
  const full: JournalWriter = {
    append: () => {
      throw new SkoposError("disk-full", "no space left");
    },
    flushed: async () => {},
    durableThrough: 0,
  };
  const journalReader = await JournalReader.open({ dir: join(dir, "journal") });
  const clock: Clock = { ...systemClock, nowMs: () => 2_000_000 };
  const store = await MetricStore.open({ dir, journal: full, journalReader, clock });
  append(store, "g", 1_000_000, [["a", 1]]);
  await expect(store.durable()).rejects.toMatchObject({ code: "disk-full" });
  expect((await contentOf(store)).size).toBe(1);
  await store.close();
  await journalReader.close();
  await opened.close();
});

/** Runs the writer until it has said so many pages, then kills it; returns what it said was durable. */
async function writeAndKill(seed: number, pages: number): Promise<Map<number, number>> {
  const entry = new URL("./testing/sample-writer-process.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "tsx", entry, dir, String(seed)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const durable = new Map<number, number>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [page, count] = line.split(" ").map(Number);
    if (page !== undefined && count !== undefined) durable.set(page, count);
    if (durable.size >= pages) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return durable;
}

test("kill -9 at any moment loses nothing that was durable", async () => {
  const durable = new Map<number, number>();
  for (const [seed, pages] of [
    [11, 700],
    [12, 1],
    [13, 1900],
  ] as const)
    for (const [page, count] of await writeAndKill(seed, pages)) durable.set(page, count);
  const opened = await openStore();
  const { store } = opened;
  const seen = new Map<number, number>();
  const block = await store.reader().select(everything);
  for (let i = 0; i < block.labels.length; i++) {
    const times = block.times[block.timesOf[i]!]!;
    for (const [k, time] of times.entries()) {
      const value = block.values[block.offsets[i]! + k]!;
      if (Number.isNaN(value)) continue;
      expect(value).toBe(time - 1_000_000);
      seen.set(value, (seen.get(value) ?? 0) + 1);
    }
  }
  expect(durable.size).toBeGreaterThanOrEqual(2600);
  for (const [page, count] of durable) expect([page, seen.get(page)]).toEqual([page, count]);
  await opened.close();
}, 60_000);
