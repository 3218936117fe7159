import { once } from "node:events";
import { LabelSet } from "@skopos/model";
import { expect, test } from "vitest";
import { Head } from "./head.ts";
import { type HammerReport, membersOf } from "./testing/hammer.ts";
import { startTypeScriptWorker } from "./testing/remote-reader.ts";

/** Appends page `page` of a life of a group. */
function appendPage(head: Head, group: string, life: number, page: number): void {
  const ref = head.openGroup(`${group} ${life}`);
  const count = membersOf(group, page);
  const refs = new Uint32Array(count);
  for (let member = 0; member < count; member++) {
    const labels = { __name__: "m", group, life: String(life), member: String(member) };
    refs[member] = head.series(ref, LabelSet.fromMap(labels))!;
  }
  const values = new Float64Array(count).fill(life * 1e6 + page);
  const outcome = head.appendPage(ref, page * 1000, refs, values, count);
  expect(outcome.appended).toBe(count);
}

test("a reader in another thread sees whole pages under the right names while the head grows, drops and forgets", async () => {
  const head = new Head();
  const stop = new Int32Array(new SharedArrayBuffer(4));
  appendPage(head, "small", 0, 1);
  const entry = new URL("./testing/hammer-worker.ts", import.meta.url);
  const worker = startTypeScriptWorker(entry, { share: head.share(), stop });
  await once(worker, "message");
  const finished = once(worker, "message");
  let page = 1;
  for (let life = 1; life <= 60; life++) {
    let isRebuilding = life % 5 === 0;
    for (let i = 0; i < 120; i++) {
      if (isRebuilding) isRebuilding = !head.rebuildIndex(5);
      page++;
      appendPage(head, "small", life, page);
      if (i % 60 === 0) appendPage(head, "large", 0, page);
    }
    head.closeGroup(head.openGroup(`small ${life}`));
    while (!head.dropBefore((page - 200) * 1000));
  }
  Atomics.store(stop, 0, 1);
  const [report] = (await finished) as [HammerReport];
  await worker.terminate();
  expect(report.faults).toEqual([]);
  expect(report.selects).toBeGreaterThan(20);
  expect(report.samples).toBeGreaterThan(10_000);
  expect(head.stats().groups).toBeLessThan(8);
}, 60_000);
