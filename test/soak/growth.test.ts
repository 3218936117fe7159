import { expect, it } from "vitest";
import { type Footprint, growthFaults } from "./growth.ts";

const minute = 60_000;
const megabyte = 2 ** 20;

/** Half an hour of a server that holds more and more, as it should; `change` says what else it does. */
function run(change: (minutes: number) => Partial<Footprint>): readonly Footprint[] {
  return Array.from({ length: 30 }, (_, minutes) => {
    const series = 300_000 + 3000 * minutes;
    const samples = 1_200_000 * minutes;
    const headBytes = 450 * series + 2 * samples;
    return {
      atMs: minutes * minute,
      ageMs: (minutes % 4) * minute,
      serverBytes: headBytes + 300 * megabyte + (minutes % 4) * 10 * megabyte,
      clickhouseBytes: 400 * megabyte,
      headBytes,
      headSeries: series,
      samples,
      series,
      journalDiskBytes: (minutes % 5) * 30 * megabyte,
      headDiskBytes: 300 * series + 2 * samples,
      clickhouseDiskBytes: 10 * megabyte,
      ...change(minutes),
    };
  });
}

const faults = (change: (minutes: number) => Partial<Footprint>) =>
  growthFaults(run(change), 30 * minute);

it("finds nothing wrong with a server that grows by what it holds", () => {
  expect(faults(() => ({}))).toEqual([]);
});

it.each<[string, (minutes: number) => Partial<Footprint>, RegExp]>([
  [
    "memory beside the head",
    (minutes) => ({ serverBytes: (700 + 12 * minutes) * megabyte, headBytes: 150 * megabyte }),
    /^in the last third the server's memory beside the head:/,
  ],
  [
    "ClickHouse",
    (minutes) => ({ clickhouseBytes: (400 + 10 * minutes) * megabyte }),
    /^in the last third ClickHouse's memory:/,
  ],
  [
    "a journal that is not cut",
    (minutes) => ({ journalDiskBytes: 20 * minutes * megabyte }),
    /^in the last third the journal:/,
  ],
  [
    "series that nobody sent",
    (minutes) => ({ headSeries: 300_000 + 6000 * minutes }),
    /the head has \d+ series/,
  ],
  [
    "what a held series costs",
    (minutes) => ({ headBytes: 300_000 * (400 + 60 * minutes), serverBytes: 2 ** 31 }),
    /the head's memory:/,
  ],
  [
    "older files that are not let go of",
    (minutes) => ({ headDiskBytes: 40 * minutes * megabyte }),
    /the head's files:/,
  ],
])("tells growth of %s", (_, change, fault) => {
  expect(faults(change)[0]).toMatch(fault);
});
