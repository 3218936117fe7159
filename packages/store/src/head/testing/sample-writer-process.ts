/**
 * A process that appends pages to a metric store in argv[2] and says on stdout up to which page everything is durable,
 * until it is killed; argv[3] seeds what it does between pages. Page n has value n in each of its series.
 */
import { LabelSet, systemClock } from "@skopos/model";
import { JournalReader } from "../../journal/journal-reader.ts";
import { Journal } from "../../journal/journal.ts";
import { MetricStore } from "../metric-store.ts";

const [dir = "", seed = "1"] = process.argv.slice(2);
const journalDir = `${dir}/journal`;
const clock = { ...systemClock, nowMs: () => 2_000_000 };
const journal = await Journal.open({
  dir: journalDir,
  clock: systemClock,
  segmentBytesMax: 64 * 1024,
  bytesMax: 1e9,
  fsyncMs: 1,
});
const journalReader = await JournalReader.open({ dir: journalDir });
const store = await MetricStore.open({ dir, journal, journalReader, clock });

let random = Number(seed);
const next = (below: number) => {
  random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
  return (random >>> 8) % below;
};
const values = new Float64Array(50);
const refs = new Uint32Array(50);
let checkpoint: Promise<undefined> | undefined;
// Later lives go on where the samples of the ones before end.
const first = (store.stats().newestMs ?? 1_000_000) - 1_000_000 + 1;
for (let page = first; page < first + 500_000; page++) {
  const group = store.openGroup(`group ${page % 7}`);
  const count = 1 + next(50);
  for (let i = 0; i < count; i++) {
    const labels = LabelSet.fromMap({ __name__: "m", member: String(i), group: String(page % 7) });
    refs[i] = store.series(group, labels) ?? 0;
    values[i] = page;
  }
  store.appendPage(group, 1_000_000 + page, refs, values, count);
  const durable = store.durable().then(() => process.stdout.write(`${page} ${count}\n`));
  if (next(200) === 0)
    checkpoint ??= store
      .checkpoint()
      .then((position) => journal.truncateBefore(position))
      .then(() => (checkpoint = undefined));
  if (page % 8 === 7) await durable;
}
