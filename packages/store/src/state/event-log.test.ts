import { systemClock } from "@skopos/model";
import { SimulatedDisk } from "@skopos/testkit";
import { expect, it } from "vitest";
import { EventLog } from "./event-log.ts";

function decode(json: unknown): string {
  if (typeof json !== "string") throw new TypeError("not a string");
  return json;
}

function open(disk: SimulatedDisk): Promise<EventLog<string>> {
  return EventLog.open({ dir: "events", clock: systemClock, decode, files: disk });
}

async function events(log: EventLog<string>): Promise<[number, string][]> {
  const found: [number, string][] = [];
  for await (const { sequence, event } of log.replay()) found.push([sequence, event]);
  return found;
}

it("replays acknowledged events in order, with numbers that go on after a restart", async () => {
  const disk = new SimulatedDisk();
  const first = await open(disk);
  expect(await Promise.all([first.append("a"), first.append("b")])).toEqual([1, 2]);
  disk.crash();
  const second = await open(disk);
  expect(await second.append("c")).toBe(3);
  expect(await events(second)).toEqual([
    [1, "a"],
    [2, "b"],
    [3, "c"],
  ]);
  expect(second.durableSequence).toBe(3);
  await second.close();
});

it("does not keep an event that it rejected, nor leave a gap for it", async () => {
  const disk = new SimulatedDisk();
  const log = await open(disk);
  await log.append("kept");
  disk.capacityBytes = disk.usedBytes + 5;
  const outcomes = await Promise.allSettled([log.append("no room"), log.append("nor here")]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  expect(await log.append("later")).toBe(2);
  await log.close();
  const again = await open(disk);
  expect(await events(again)).toEqual([
    [1, "kept"],
    [2, "later"],
  ]);
  await again.close();
});

it("stops at an event that nobody understands", async () => {
  const disk = new SimulatedDisk();
  const numbers = await EventLog.open<unknown>({
    dir: "events",
    clock: systemClock,
    decode: (json) => json,
    files: disk,
  });
  await numbers.append({ x: 1 });
  await numbers.close();
  const texts = await open(disk);
  await expect(events(texts)).rejects.toThrow("not a string");
  await texts.close();
});
