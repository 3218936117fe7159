/**
 * Test worker: selects from a head without pause while another thread appends, and checks what it sees. A series says in
 * its labels which life of which group it is of; value and time of a sample say which page it came with:
 * value = life × 1e6 + page, time = page seconds. `membersOf` says how many members a page had.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { SeriesBlock } from "@skopos/model";
import { HeadView } from "../head-view.ts";
import type { HeadShare } from "../memory.ts";
import { type HammerReport, membersOf } from "./hammer.ts";

const { share, stop } = workerData as { share: HeadShare; stop: Int32Array };
const view = new HeadView(share);
const faults: string[] = [];
const fault = (text: string) => {
  if (faults.length < 10) faults.push(text);
};

/** Checks a block and returns how many samples it had. */
function check(block: SeriesBlock): number {
  if (new Set(block.labels.map(({ key }) => key)).size !== block.labels.length)
    fault("a series came twice");
  const members = new Map<string, number>();
  let samples = 0;
  for (const [i, labels] of block.labels.entries()) {
    const times = block.times[block.timesOf[i] ?? 0] ?? new Float64Array();
    const from = block.offsets[i] ?? 0;
    if ((block.offsets[i + 1] ?? 0) - from !== times.length) fault("values without times");
    for (const [k, timeMs] of times.entries()) {
      if (k > 0 && timeMs <= (times[k - 1] ?? 0)) fault(`times go back at ${timeMs}`);
      const value = block.values[from + k] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      samples++;
      const page = timeMs / 1000;
      if (value !== Number(labels.get("life")) * 1e6 + page)
        fault(`${labels.toString()} has ${value} at ${timeMs}`);
      const key = `${labels.get("group")} ${labels.get("life")} ${page}`;
      members.set(key, (members.get(key) ?? 0) + 1);
    }
  }
  for (const [key, count] of members) {
    const [group = "", , page = ""] = key.split(" ");
    if (count !== membersOf(group, Number(page)))
      fault(`page ${key} has ${count} members, not ${membersOf(group, Number(page))}`);
  }
  return samples;
}

const report: HammerReport = { selects: 0, samples: 0, faults };
const groups = ["small", "large", ".+"];
while (Atomics.load(stop, 0) === 0) {
  const value = groups[report.selects % 3] ?? "";
  const matchers = [{ op: "=~", name: "group", value }] as const;
  const range = { startMs: 0, endMs: 1e12 };
  try {
    const block = await view.select({ matchers, ...range, seriesMax: 1e5, samplesMax: 1e7 });
    report.samples += check(block);
  } catch (error) {
    fault(String(error));
  }
  report.selects++;
  if (report.selects === 1) parentPort?.postMessage("started", []);
  await nextTurn();
}
parentPort?.postMessage(report, []);
