/** The head and what carries its samples away: nothing is let go of before it is carried, nothing changes once it is sealed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AppendOutcome, type Clock, LabelSet, systemClock } from "@skopos/model";
import { FakeClock } from "@skopos/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JournalReader } from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";
import { HeadMarks } from "./marks.ts";
import { type CarriageOptions, MetricStore } from "./metric-store.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-carriage-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const carriage: CarriageOptions = {
  sliceMs: 100_000,
  sealAfterMs: 150_000,
  keepMsMax: 1_000_000,
  carriedThroughMs: -Infinity,
};

async function openStore(clock: Clock, changed: Partial<CarriageOptions> = {}) {
  const journalDir = join(dir, "journal");
  const limits = { segmentBytesMax: 1e6, bytesMax: 1e9, fsyncMs: 1 };
  const journal = await Journal.open({ dir: journalDir, clock: systemClock, ...limits });
  const journalReader = await JournalReader.open({ dir: journalDir });
  const store = await MetricStore.open({
    dir,
    journal,
    journalReader,
    clock,
    retentionMs: 500_000,
    carriage: { ...carriage, ...changed },
  });
  const close = async () => {
    await store.close();
    await journalReader.close();
    await journal.close();
  };
  return { store, marks: new HeadMarks(store.share()), close };
}

function append(store: MetricStore, timeMs: number): AppendOutcome {
  const group = store.openGroup("g");
  const ref = store.series(group, LabelSet.fromMap({ __name__: "m" })) ?? 0;
  return store.appendPage(group, timeMs, Uint32Array.of(ref), Float64Array.of(timeMs), 1);
}

test("what is not carried stays beyond the retention, until it is, or is too old for that too", async () => {
  const clock = new FakeClock(2_000_000);
  const { store, marks, close } = await openStore(clock);
  for (let i = 0; i < 100; i++) append(store, 1_900_000 + i);
  await clock.advance(600_000);
  expect(store.stats().oldestMs).toBe(1_900_000);
  store.carriedThrough(1_900_040);
  await clock.advance(60_000);
  expect(store.stats().oldestMs).toBe(1_900_032);
  expect(marks.droppedBeforeMs).toBe(1_900_041);
  await clock.advance(400_000);
  expect(marks.droppedBeforeMs).toBeGreaterThan(1_900_100);
  await close();
});

test("a slice is sealed a while after its end, and takes no samples from then on", async () => {
  const clock = new FakeClock(2_000_000);
  const { store, marks, close } = await openStore(clock);
  expect(marks.sealedThroughMs).toBe(1_800_000);
  expect(append(store, 1_800_000)).toMatchObject({ appended: 0, tooOld: 1 });
  expect(append(store, 1_800_001)).toMatchObject({ appended: 1 });
  await clock.advance(60_000);
  expect(marks.sealedThroughMs).toBe(1_900_000);
  expect(append(store, 1_900_000)).toMatchObject({ appended: 0, tooOld: 1 });
  await close();
});

test("what was carried before a restart stays sealed, whatever the clock says", async () => {
  const { store, close } = await openStore(new FakeClock(2_000_000), {
    carriedThroughMs: 2_100_000,
  });
  expect(append(store, 2_100_000)).toMatchObject({ tooOld: 1 });
  expect(append(store, 2_100_001)).toMatchObject({ appended: 1 });
  await close();
});

test("a clock that leaps ahead for some minutes neither seals nor drops what is new", async () => {
  const timers = new FakeClock(2_000_000);
  let leapMs = 0;
  const clock: Clock = {
    nowMs: () => timers.nowMs() + leapMs,
    monotonicMs: () => timers.monotonicMs(),
    after: (delayMs, task) => timers.after(delayMs, task),
  };
  const { store, close } = await openStore(clock, { sealAfterMs: 1_200_000 });
  append(store, 2_000_000);
  leapMs = 86_400_000;
  await timers.advance(60_000);
  leapMs = 0;
  await timers.advance(60_000);
  expect(append(store, 2_100_000)).toMatchObject({ appended: 1 });
  await close();
});
