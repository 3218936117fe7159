/**
 * What every `MetricReader` keeps, embedded or remote. An implementation is handed pages of samples by its factory and
 * then asked; each case fails by throwing. Run it as `for (const { name, run } of metricReaderContract(open)) test(name, run)`.
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import {
  absentNaN,
  type LabelMap,
  LabelSet,
  type Matcher,
  type MetricReader,
  type SeriesBlock,
  SkoposError,
  staleNaN,
  writeNaN,
} from "@skopos/model";
import { bitsOf } from "./plain-metric-store.ts";

/** Samples of one group at one time; "stale" is the staleness marker. */
export interface ContractPage {
  readonly group: string;
  readonly timeMs: number;
  readonly samples: readonly (readonly [LabelMap, number | "stale"])[];
}

export interface OpenReader {
  readonly reader: MetricReader;
  close(): Promise<void>;
}

export interface ContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const all = { startMs: 0, endMs: 1e15 };
const bounds = { seriesMax: 10_000, samplesMax: 1_000_000 };
const markers = new Float64Array(2);
writeNaN(markers, 0, staleNaN);
writeNaN(markers, 1, absentNaN);
const staleBits = bitsOf(markers, 0);
const absentBits = bitsOf(markers, 1);

/** A block as text per series: `labels` → `time:value …`, holes left out, in the order of labels. */
export function samplesOf(block: SeriesBlock): Map<string, string> {
  const out = new Map<string, string>();
  for (const [i, labels] of block.labels.entries()) {
    const times = block.times[block.timesOf[i] ?? -1] ?? new Float64Array();
    const from = block.offsets[i] ?? 0;
    equal((block.offsets[i + 1] ?? 0) - from, times.length, "values and times differ in length");
    const parts: string[] = [];
    for (const [k, time] of times.entries()) {
      ok(k === 0 || time > (times[k - 1] ?? 0), "times are not ascending");
      const value = bitsOf(block.values, from + k);
      if (value !== absentBits) parts.push(`${time}:${textOf(value, block.values[from + k])}`);
    }
    ok(!out.has(labels.toString()), `series ${labels.toString()} came twice`);
    ok(parts.length > 0, `series ${labels.toString()} came without samples`);
    out.set(labels.toString(), parts.join(" "));
  }
  return new Map([...out].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function textOf(value: bigint, number: number | undefined): string {
  if (value === staleBits) return "stale";
  return Object.is(number, -0) ? "-0" : String(number);
}

const up = (labels: LabelMap): LabelMap => ({ __name__: "up", ...labels });

const pages: readonly ContractPage[] = [
  ...[1000, 2000, 3000].map((timeMs): ContractPage => ({
    group: "a",
    timeMs,
    samples: [
      [up({ job: "a", instance: "1" }), timeMs / 1000],
      [up({ job: "a", instance: "2" }), 0.5],
      [{ __name__: "h_bucket", job: "a", le: "1" }, timeMs],
      [{ __name__: "h_bucket", job: "a", le: "+Inf" }, timeMs + 1],
    ],
  })),
  { group: "b", timeMs: 1500, samples: [[up({ job: "b", zone: "é✓" }), -0]] },
  { group: "b", timeMs: 2500, samples: [[up({ job: "b", zone: "é✓" }), "stale"]] },
  { group: "b", timeMs: 3500, samples: [[up({ job: "b", zone: "é✓" }), Infinity]] },
];

const matcherCases: readonly (readonly [string, readonly Matcher[], readonly string[]])[] = [
  ["equality", [{ op: "=", name: "job", value: "b" }], ["b"]],
  [
    "equality with the empty value, as absence",
    [
      { op: "=", name: "__name__", value: "up" },
      { op: "=", name: "zone", value: "" },
    ],
    ["1", "2"],
  ],
  [
    "inequality, of absent labels too",
    [
      { op: "=", name: "__name__", value: "up" },
      { op: "!=", name: "instance", value: "1" },
    ],
    ["2", "b"],
  ],
  ["a regex of literals", [{ op: "=~", name: "instance", value: "1|3" }], ["1"]],
  ["an anchored regex", [{ op: "=~", name: "instance", value: "[12]" }], ["1", "2"]],
  [
    "a regex that admits absence",
    [
      { op: "=~", name: "instance", value: "1|" },
      { op: "=", name: "__name__", value: "up" },
    ],
    ["1", "b"],
  ],
  [
    "a negative regex",
    [
      { op: "!~", name: "instance", value: "1.*" },
      { op: "=~", name: "__name__", value: "u.+" },
    ],
    ["2", "b"],
  ],
  [
    "a negative regex that excludes absence",
    [
      { op: "!~", name: "instance", value: "|2" },
      { op: "=", name: "__name__", value: "up" },
    ],
    ["1"],
  ],
  [
    "bucket bounds",
    [
      { op: "=", name: "__name__", value: "h_bucket" },
      { op: "!=", name: "le", value: "1" },
    ],
    ["+Inf"],
  ],
  ["a name that is not there", [{ op: "=", name: "__name__", value: "nothing" }], []],
];

/** `open` stores the pages, in order, in a fresh store and returns a reader of it. */
export function metricReaderContract(
  open: (pages: readonly ContractPage[]) => Promise<OpenReader>,
): ContractCase[] {
  const cases: ContractCase[] = [];
  const add = (name: string, check: (reader: MetricReader) => Promise<void>, fed = pages) => {
    const run = async () => {
      const opened = await open(fed);
      try {
        await check(opened.reader);
      } finally {
        await opened.close();
      }
    };
    cases.push({ name, run });
  };

  for (const [name, matchers, expected] of matcherCases)
    add(`selects by ${name}`, async (reader) => {
      const block = await reader.select({ matchers, ...all, ...bounds });
      const found = block.labels.map((l) => l.get("instance") || l.get("le") || l.get("job"));
      deepEqual(found.sort(), [...expected].sort());
    });
  addSelectCases(add);
  addLabelCases(add);
  return cases;
}

type AddCase = (
  name: string,
  check: (reader: MetricReader) => Promise<void>,
  fed?: readonly ContractPage[],
) => void;

const nameIs = (value: string): Matcher => ({ op: "=", name: "__name__", value });

const isLimit = (error: unknown) => error instanceof SkoposError && error.code === "limit";

const listOf = (matcherSets: readonly (readonly Matcher[])[], range = all) => ({
  matcherSets,
  ...range,
  limit: 100,
});

function addSelectCases(add: AddCase): void {
  add("ranges are open on the left and closed on the right", async (reader) => {
    const matchers = [{ op: "=", name: "instance", value: "1" }] as const;
    const block = await reader.select({ matchers, startMs: 1000, endMs: 2000, ...bounds });
    deepEqual([...samplesOf(block).values()], ["2000:2"]);
  });

  add("staleness markers and special values come back as they were", async (reader) => {
    const matchers = [{ op: "=", name: "job", value: "b" }] as const;
    const block = await reader.select({ matchers, ...all, ...bounds });
    deepEqual([...samplesOf(block).values()], ["1500:-0 2500:stale 3500:Infinity"]);
    ok(block.labels[0]?.equals(LabelSet.fromMap(up({ job: "b", zone: "é✓" }))));
  });

  add("a series without samples in the range is not in the block", async (reader) => {
    const block = await reader.select({
      matchers: [nameIs("up")],
      startMs: 3000,
      endMs: 4000,
      ...bounds,
    });
    deepEqual(
      block.labels.map((labels) => labels.get("job")),
      ["b"],
    );
  });

  add("over the limit of series or samples a select is refused", async (reader) => {
    const matchers = [nameIs("up")];
    await rejects(reader.select({ matchers, ...all, seriesMax: 2, samplesMax: 100 }), isLimit);
    await rejects(reader.select({ matchers, ...all, seriesMax: 10, samplesMax: 8 }), isLimit);
    const block = await reader.select({ matchers, ...all, seriesMax: 3, samplesMax: 9 });
    equal(block.labels.length, 3);
  });

  add("a cancelled select is refused", async (reader) => {
    const select = { matchers: [nameIs("up")], ...all, ...bounds, cancelled: () => true };
    await rejects(
      reader.select(select),
      (error) => error instanceof SkoposError && error.code === "cancelled",
    );
  });

  add("a bad regex is refused", async (reader) => {
    const matchers = [{ op: "=~", name: "job", value: "(" }] as const;
    await rejects(
      reader.select({ matchers, ...all, ...bounds }),
      (error) => error instanceof SkoposError,
    );
  });
}

function addLabelCases(add: AddCase): void {
  add("lists series of any of several selectors once", async (reader) => {
    const found = await reader.series(
      listOf([[nameIs("up")], [{ op: "=", name: "job", value: "a" }]]),
    );
    equal(found.length, 5);
    equal(new Set(found.map(({ key }) => key)).size, 5);
  });

  add("lists only what has samples in the range", async (reader) => {
    const late = { startMs: 3000, endMs: 4000 };
    const found = await reader.series(listOf([[nameIs("up")]], late));
    deepEqual(
      found.map((labels) => labels.get("job")),
      ["b"],
    );
    deepEqual(await reader.labelValues("job", listOf([], late)), ["b"]);
    deepEqual(await reader.labelNames(listOf([], late)), ["__name__", "job", "zone"]);
  });

  add("label names and values are sorted, without duplicates", async (reader) => {
    deepEqual(await reader.labelNames(listOf([])), ["__name__", "instance", "job", "le", "zone"]);
    deepEqual(await reader.labelValues("__name__", listOf([])), ["h_bucket", "up"]);
    deepEqual(await reader.labelValues("le", listOf([])), ["+Inf", "1"]);
    deepEqual(await reader.labelValues("nothing", listOf([])), []);
    const onlyB = listOf([[{ op: "=", name: "job", value: "b" }]]);
    deepEqual(await reader.labelValues("zone", onlyB), ["é✓"]);
  });

  add("lists stop at their limit", async (reader) => {
    equal((await reader.series({ ...listOf([]), limit: 2 })).length, 2);
    deepEqual(await reader.labelNames({ ...listOf([]), limit: 2 }), ["__name__", "instance"]);
  });
}
