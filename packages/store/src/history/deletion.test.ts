import { join } from "node:path";
import { LabelSet, type Matcher, type MetricReader, systemClock } from "@skopos/model";
import { FakeClock, samplesOf } from "@skopos/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Head } from "../head/head.ts";
import { HeadMarks } from "../head/marks.ts";
import { createHistoryReader } from "./history-reader.ts";
import { createMaskedReader } from "./masked-reader.ts";
import { createMetricReader } from "./metric-reader.ts";
import { sliceMs } from "./schema.ts";
import { ClickHouseHistory } from "./testing/clickhouse-history.ts";
import { Deletions, Tombstones } from "./tombstones.ts";

let history: ClickHouseHistory;
beforeAll(async () => {
  history = await ClickHouseHistory.open();
});
afterAll(() => history.close());

const stepMs = 600_000;
const hours = 3;
let head: Head;
let marks: HeadMarks;
let file: string;
let deletions: Deletions;
let run = 0;

beforeEach(async () => {
  head = new Head();
  marks = new HeadMarks(head.share());
  const group = head.openGroup("g");
  const refs = Uint32Array.from(["a", "b"], (job) => {
    return head.series(group, LabelSet.fromMap({ __name__: "up", job })) ?? 0;
  });
  for (let timeMs = stepMs; timeMs <= hours * sliceMs; timeMs += stepMs)
    head.appendPage(group, timeMs, refs, Float64Array.from([timeMs, timeMs + 1]), 2);
  head.dropBefore(1);
  head.sealThrough(2 * sliceMs);
  file = join(history.dir, `deleted-${++run}.json`);
  deletions = await Deletions.open(file, marks, new FakeClock(hours * sliceMs));
  await history.clear();
});

const jobIs = (value: string): Matcher => ({ op: "=", name: "job", value });
const everything = { matchers: [], startMs: 0, endMs: 1e15, seriesMax: 100, samplesMax: 1000 };
const allLabels = { matcherSets: [], startMs: 0, endMs: 1e15, limit: 100 };

/** Head and history, the border after an hour and a half. */
function joined(): MetricReader {
  return createMetricReader({
    head: head.reader(),
    marks: { heldSinceMs: 1.5 * sliceMs, droppedBeforeMs: 1.5 * sliceMs },
    history: createHistoryReader(history.client, { clock: systemClock }),
  });
}

async function timesOf(reader: MetricReader, job: string): Promise<number[]> {
  const found = samplesOf(await reader.select({ ...everything, matchers: [jobIs(job)] }));
  const text = found.get(`up{job=${JSON.stringify(job)}}`) ?? "";
  return text === "" ? [] : text.split(" ").map((sample) => Number(sample.split(":")[0]) / stepMs);
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

describe("a deletion", () => {
  test("is honoured at once in head and history, between its ends, and for nothing that comes later", async () => {
    await history.carry(head);
    const reader = createMaskedReader(joined(), new Tombstones(file, marks));
    expect(await timesOf(reader, "a")).toEqual(upTo(18));
    await deletions.delete([[jobIs("a")]], 4 * stepMs, 14 * stepMs);
    expect(await timesOf(reader, "a")).toEqual([1, 2, 3, 15, 16, 17, 18]);
    expect(await timesOf(reader, "b")).toEqual(upTo(18));
    await deletions.delete([[jobIs("b")]], 0, 1e15);
    expect(await timesOf(reader, "b")).toEqual([]);
    expect(await reader.labelValues("job", allLabels)).toEqual(["a"]);
    const group = head.openGroup("g");
    const ref = head.series(group, LabelSet.fromMap({ __name__: "up", job: "b" })) ?? 0;
    head.appendPage(group, 19 * stepMs, Uint32Array.of(ref), Float64Array.of(1), 1);
    expect(await timesOf(reader, "b")).toEqual([19]);
  });

  test("outlives a restart", async () => {
    await deletions.delete([[jobIs("a")]], 0, 1e15);
    const again = new HeadMarks(new Head().share());
    await Deletions.open(file, again, systemClock);
    const reader = createMaskedReader(head.reader(), new Tombstones(file, again));
    expect(await timesOf(reader, "a")).toEqual([]);
    expect(await timesOf(reader, "b")).toEqual(upTo(18));
  });

  test("is taken out of what was carried before, for good", async () => {
    await history.carry(head);
    await deletions.delete([[jobIs("a")], [jobIs("nobody")]], 4 * stepMs, 8 * stepMs);
    const cleaned = await history.clean(head, new Tombstones(file, marks));
    expect(cleaned).toEqual([1]);
    const bare = createHistoryReader(history.client, { clock: systemClock });
    expect(await timesOf(bare, "a")).toEqual([1, 2, 3, 9, 10, 11, 12]);
    expect(await timesOf(bare, "b")).toEqual(upTo(12));
    const coarse = { ...everything, matchers: [jobIs("a")], resolutionMs: sliceMs };
    expect([...samplesOf(await bare.select(coarse)).values()].join()).not.toMatch(/ 2400000:/);
    await deletions.cleaned(cleaned);
    const still = createMaskedReader(head.reader(), new Tombstones(file, marks));
    expect(await timesOf(still, "a")).toEqual([1, 2, 3, ...upTo(18).slice(8)]);
    head.dropBefore(9 * stepMs);
    await deletions.cleaned([]);
    expect(new Tombstones(file, marks).graves).toEqual([]);
  });

  test("is not carried", async () => {
    await deletions.delete([[jobIs("a")]], 2 * stepMs, 20 * stepMs);
    await history.carry(head, { tombstones: new Tombstones(file, marks) });
    const bare = createHistoryReader(history.client, { clock: systemClock });
    expect(await timesOf(bare, "a")).toEqual([1]);
  });

  test("with a bad regex is refused", async () => {
    const bad: Matcher = { op: "=~", name: "job", value: "(" };
    await expect(deletions.delete([[bad]], 0, 1)).rejects.toMatchObject({ code: "bad-regex" });
  });
});
