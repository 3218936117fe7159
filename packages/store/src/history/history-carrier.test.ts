import { writeFile } from "node:fs/promises";
import { LabelSet, systemClock } from "@skopos/model";
import { FakeClock, samplesOf } from "@skopos/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Head } from "../head/head.ts";
import { DiskLimit } from "./disk-limit.ts";
import { createHistoryReader } from "./history-reader.ts";
import { sliceMs } from "./schema.ts";
import { ClickHouseHistory } from "./testing/clickhouse-history.ts";
import { readCarriedThrough } from "./watermark.ts";

let history: ClickHouseHistory;
beforeAll(async () => {
  history = await ClickHouseHistory.open();
});
afterAll(() => history.close());
beforeEach(() => history.clear());

const everything = {
  matchers: [],
  startMs: 0,
  endMs: 1e15,
  seriesMax: 10_000,
  samplesMax: 10_000_000,
};

/** Counters of some targets over the hours from `firstHour` on. */
function filled(firstHour: number, hours: number, series = 200): Head {
  const head = new Head();
  head.dropBefore(firstHour * sliceMs + 1);
  for (let target = 0; target < 5; target++) {
    const group = head.openGroup(`target-${target}`);
    const refs = Uint32Array.from({ length: series }, (_, i) => {
      const labels = { __name__: `m_${i}`, target: String(target), pad: "x".repeat(200) };
      return head.series(group, LabelSet.fromMap(labels)) ?? 0;
    });
    const values = new Float64Array(series);
    for (let minute = 1; minute <= hours * 60; minute++) {
      for (let i = 0; i < series; i++) values[i] = minute * i + target;
      head.appendPage(group, firstHour * sliceMs + minute * 60_000, refs, values, series);
    }
  }
  head.sealThrough((firstHour + hours) * sliceMs);
  return head;
}

const reader = () => createHistoryReader(history.client, { clock: systemClock });

describe("the carrier of the history", () => {
  test("carries only what is sealed", async () => {
    const head = filled(0, 2, 3);
    const early = new Head();
    const group = early.openGroup("g");
    const ref = early.series(group, LabelSet.fromMap({ __name__: "up" })) ?? 0;
    early.dropBefore(1);
    early.sealThrough(sliceMs);
    const late = early.appendPage(group, sliceMs, Uint32Array.of(ref), Float64Array.of(1), 1);
    expect(late).toMatchObject({ appended: 0, tooOld: 1 });
    await history.carry(head);
    expect(await readCarriedThrough(history.watermarkFile)).toBe(2 * sliceMs);
  });

  test("loses and doubles nothing when the watermark is behind what was carried", async () => {
    const head = filled(0, 3, 20);
    await history.carry(head);
    await writeFile(history.watermarkFile, JSON.stringify({ carriedThroughMs: sliceMs }));
    await history.carry(head);
    const expected = samplesOf(await head.reader().select(everything));
    expect(samplesOf(await reader().select(everything))).toEqual(expected);
  });

  test("loses and doubles nothing when ClickHouse is killed while it inserts", async () => {
    const head = filled(0, 3);
    const { pid } = history.server;
    const carrying = history.carry(head);
    await expect.poll(() => history.rows("metric_slices"), { timeout: 15_000 }).toBeGreaterThan(0);
    process.kill(pid ?? 0, "SIGKILL");
    await carrying;
    expect(history.server.pid).not.toBe(pid);
    const expected = samplesOf(await head.reader().select(everything));
    expect(samplesOf(await reader().select(everything))).toEqual(expected);
  });

  test("says what left the head before it came", async () => {
    await history.carry(filled(0, 1, 3));
    const later = filled(5, 1, 3);
    const progress = await history.carry(later);
    expect(progress).toMatchObject({ lostSlices: 4, carriedThroughMs: 6 * sliceMs });
  });
});

describe("a long range seen through wide windows", () => {
  test("is answered from roll-ups, with every increase that there was", async () => {
    const head = new Head();
    head.dropBefore(1);
    const group = head.openGroup("g");
    const ref = head.series(group, LabelSet.fromMap({ __name__: "hits_total" })) ?? 0;
    let total = 0;
    let counted = 0;
    let first: number | undefined;
    for (let timeMs = 15_000; timeMs <= 25 * sliceMs; timeMs += 15_000) {
      const step = (timeMs / 15_000) % 7;
      // A restart every 50 minutes or so.
      total = timeMs % 3_015_000 === 0 ? step : total + step;
      if (first !== undefined) counted += step;
      first ??= total;
      head.appendPage(group, timeMs, Uint32Array.of(ref), Float64Array.of(total), 1);
    }
    head.sealThrough(25 * sliceMs);
    await history.carry(head);
    const all = await reader().select(everything);
    const coarse = await reader().select({ ...everything, resolutionMs: sliceMs });
    expect(all.values.length).toBe(25 * 240);
    expect(coarse.values.length).toBeLessThan(25 * 66);
    expect(increaseOf(coarse.values)).toBe(counted);
    expect(increaseOf(all.values)).toBe(counted);
    const short = { ...everything, endMs: 20 * sliceMs, resolutionMs: sliceMs };
    expect((await reader().select(short)).values.length).toBe(20 * 240);
    // Once the samples of the first day are gone, roll-ups stand in for them.
    await history.client.command({ query: "ALTER TABLE metric_slices DROP PARTITION ID '0'" });
    const mixed = await reader().select(everything);
    expect(mixed.values.length).toBeLessThan(24 * 66 + 240);
    expect(mixed.values.length).toBeGreaterThan(24 * 60 + 239);
    expect(increaseOf(mixed.values)).toBe(counted);
  });
});

function increaseOf(values: Float64Array): number {
  return values.reduce((sum, value, i) => {
    const before = i === 0 ? value : (values[i - 1] ?? 0);
    return sum + (value < before ? value : value - before);
  }, 0);
}

describe("the limit of the disk", () => {
  test("takes the oldest days, never the current one, and counts", async () => {
    await history.carry(filled(0, 1, 20));
    await history.carry(filled(24, 1, 20));
    await history.carry(filled(48, 1, 20));
    const errors: string[] = [];
    const limit = (bytesMax: number) =>
      new DiskLimit({
        client: history.client,
        clock: new FakeClock(49 * sliceMs),
        log: { info: () => {}, warn: () => {}, error: (_, message) => errors.push(message) },
        bytesMax,
      });
    const { bytes } = await limit(1e12).keep();
    expect((await limit(bytes - 1).keep()).daysDropped).toBe(1);
    const times = async () => {
      const block = await reader().select({ ...everything, matchers: [] });
      return (block.times[0]?.[0] ?? 0) / sliceMs;
    };
    expect(await times()).toBeGreaterThan(24);
    expect(errors).toEqual([]);
    expect(await limit(1).keep()).toMatchObject({ daysDropped: 1, overLimit: 1 });
    expect(await times()).toBeGreaterThan(48);
    expect(errors.length).toBe(1);
  });
});
