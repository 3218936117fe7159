import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { sleep, systemClock } from "@skopos/model";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { frameKinds } from "../journal/frame.ts";
import { JournalReader } from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";
import { type CarrierProgress, runCarrier } from "./carrier.ts";
import { openClickHouse } from "./client.ts";
import { LogStore } from "./log-store.ts";
import { PatternStore } from "./pattern-store.ts";
import { migrate } from "./schema.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "./supervise.ts";

const patience = { timeout: 15_000 };
const silent = { info: () => {}, warn: () => {}, error: () => {} };
let dir: string;
let server: SupervisedClickHouse;
let client: ClickHouseClient;
let journalDir: string;
let checkpointFile: string;
let journal: Journal;
let logs: LogStore;
let run = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-carrier-"));
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir: join(dir, "clickhouse"),
    clock: systemClock,
    log: silent,
    memoryBytesMax: 800e6,
  });
  await migrate(server.connection, { tracesMs: 1e12, logsMs: 1e12 });
  client = openClickHouse(server.connection);
});

afterAll(async () => {
  await client.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  journalDir = join(dir, `telemetry-${++run}`);
  checkpointFile = join(dir, `carrier-${run}.json`);
  journal = await Journal.open({
    dir: journalDir,
    clock: systemClock,
    segmentBytesMax: 100_000,
    bytesMax: 1e9,
    fsyncMs: 1,
  });
  logs = new LogStore(journal);
  return () => journal.close();
});

/** Acknowledged lines 0 … count-1 of this test, in batches. */
async function writeLines(count: number, from = 0): Promise<void> {
  const labels = { run: String(run) };
  for (let first = from; first < from + count; first += 20) {
    const numbers = Array.from({ length: Math.min(20, from + count - first) }, (_, i) => first + i);
    await logs.append(
      numbers.map((number) => ({
        timeNs: 1_790_000_000_000_000_000n + BigInt(number),
        labels,
        metadata: {},
        line: `${number} ${"x".repeat(number % 300)}`,
      })),
    );
  }
}

/** How many lines of this test ClickHouse has, and how many different ones. */
async function counted(): Promise<{ all: number; different: number }> {
  const result = await client.query({
    query: `SELECT toUInt32(count()) AS all, toUInt32(uniqExact(time_ns)) AS different FROM logs
      WHERE labels['run'] = {run:String}`,
    query_params: { run: String(run) },
    format: "JSONEachRow",
  });
  const [row] = await result.json<{ all: number; different: number }>();
  return row!;
}

/** Carries, in batches of some hundred lines, until all that is acknowledged is carried; returns every report. */
async function carryAll(into: ClickHouseClient = client, stop = new AbortController()) {
  const follower = await JournalReader.open({ dir: journalDir });
  const reports: CarrierProgress[] = [];
  await runCarrier({
    journal: follower,
    client: into,
    checkpointFile,
    clock: systemClock,
    log: silent,
    signal: stop.signal,
    batchBytesMax: 20_000,
    onProgress: (progress) => {
      reports.push(progress);
      if (progress.behindBytes === 0) stop.abort();
    },
  });
  await follower.close();
  return reports;
}

/** Undefined before there is one. */
function savedCheckpoint(): Promise<unknown> {
  return readFile(checkpointFile, "utf8").then(JSON.parse, () => undefined);
}

function startProcess() {
  const script = new URL("../testing/carrier-process.ts", import.meta.url);
  const given = [journalDir, JSON.stringify(server.connection), checkpointFile];
  return fork(script, given, { execArgv: ["--import", "tsx"], silent: true });
}

describe("the carrier", () => {
  it(
    "brings lines as they came, whatever their text, and however many names their metadata has",
    async () => {
      const labels = { run: String(run), empty: "", ü: "x" };
      const texts = [
        "",
        "-- #! /* { serverError 27 } */",
        "\t\n\0'\\",
        "ü".repeat(50),
        "€".repeat(70_000),
      ];
      const records = Array.from({ length: 700 }, (_, i) => ({
        timeNs: 1_790_000_000_000_000_000n + BigInt(i),
        labels,
        metadata: i % 3 === 0 ? {} : { [`name ${i}`]: String(i), same: "é".repeat(i % 130) },
        line: texts[i] ?? "x".repeat(i),
      }));
      await logs.append(records);
      await carryAll();
      const result = await client.query({
        query: `SELECT toString(time_ns), labels, metadata, line FROM logs
        WHERE labels['run'] = {run:String} ORDER BY time_ns`,
        query_params: { run: String(run) },
        format: "JSONCompactEachRow",
      });
      expect(await result.json()).toEqual(
        records.map(({ timeNs, metadata, line }) => [
          String(timeNs),
          { run: String(run), ü: "x" },
          metadata,
          line,
        ]),
      );
    },
    patience.timeout,
  );

  it("skips kinds that it does not know, and leaves out rows that cannot be read", async () => {
    await writeLines(5);
    journal.append(frameKinds.metrics, Buffer.from("not for ClickHouse"));
    journal.append(99, Buffer.from("from the future"));
    journal.append(frameKinds.logs, Buffer.from("not\ta row"));
    await writeLines(5, 5);
    expect((await carryAll()).at(-1)).toMatchObject({ rejectedFrames: 1 });
    expect(await counted()).toEqual({ all: 10, different: 10 });
  });

  it("carries spans of this release and of the one before, and template counts, once each", async () => {
    const span = `shop\t1790000000000000000\t1000\t${"t".repeat(16)}\t${"s".repeat(8)}\t${"p".repeat(8)}\tGET\tserver\tok`;
    const rest = `\t\t\t\t{}\t{}\t\t`;
    journal.append(frameKinds.spans, Buffer.from(`${span}${rest}\n`));
    journal.append(frameKinds.scopedSpans, Buffer.from(`${span}${rest}\t{'scope':'x'}\n`));
    const pattern = {
      labels: { app: "shop" },
      templateId: "ffffffffffffffff",
      template: "took <*>",
      bucketMs: 1_790_000_000_000,
      count: 2,
      sample: "took 5",
    };
    const patterns = new PatternStore(journal);
    await patterns.append([pattern, { ...pattern, count: 3 }]);
    await patterns.append([pattern]);
    expect((await carryAll()).at(-1)).toMatchObject({ rejectedFrames: 0 });
    const read = async (query: string) =>
      (await client.query({ query, format: "JSONCompactEachRow" })).json<unknown[]>();
    expect(
      await read(
        "SELECT scope_attributes FROM spans WHERE service = 'shop' ORDER BY length(scope_attributes)",
      ),
    ).toEqual([[{}], [{ scope: "x" }]]);
    expect(
      await read("SELECT toUInt32(sum(count)), toUInt32(sum(total_ns)) FROM span_rates"),
    ).toEqual([[2, 2000]]);
    expect(await read("SELECT toUInt32(sum(spans)), any(services) FROM trace_index")).toEqual([
      [2, ["shop"]],
    ]);
    expect(
      await read(
        "SELECT hex(template_id), any(template), toUInt32(sum(count)) FROM log_patterns GROUP BY ALL",
      ),
    ).toEqual([["FFFFFFFFFFFFFFFF", "took <*>", 7]]);
    // Once more, as after a crash before the checkpoint: nothing is counted twice, in no table.
    const { identity, done } = JSON.parse(await readFile(checkpointFile, "utf8")) as {
      identity: number;
      done: number;
    };
    await writeFile(checkpointFile, JSON.stringify({ identity, done: 0, intent: done }));
    await carryAll();
    expect(await read("SELECT toUInt32(count()) FROM spans")).toEqual([[2]]);
    expect(await read("SELECT toUInt32(sum(count)) FROM span_rates")).toEqual([[2]]);
    expect(await read("SELECT toUInt32(sum(spans)) FROM trace_index")).toEqual([[2]]);
    expect(await read("SELECT toUInt32(sum(count)) FROM log_patterns")).toEqual([[7]]);
  });

  it("looks after the tables between batches, with nothing left to be repeated", async () => {
    await writeLines(200);
    const follower = await JournalReader.open({ dir: journalDir });
    const stop = new AbortController();
    let calls = 0;
    await runCarrier({
      journal: follower,
      client,
      checkpointFile,
      clock: systemClock,
      log: silent,
      signal: stop.signal,
      upkeep: async () => {
        const saved = (await savedCheckpoint()) as { done: number; intent: number };
        expect(saved.done).toBe(saved.intent);
        if (++calls === 1) throw new Error("not now");
        stop.abort();
      },
      upkeepEveryMs: 0,
    });
    await follower.close();
    expect(calls).toBe(2);
  });

  it("sends again what it sent before a checkpoint was lost, and nothing is doubled", async () => {
    await writeLines(2000);
    const position = (await carryAll()).at(-1)!.carriedThrough;
    expect(await counted()).toEqual({ all: 2000, different: 2000 });
    // What the file said while the first batch was on its way.
    const { identity } = JSON.parse(await readFile(checkpointFile, "utf8")) as { identity: number };
    let end = 0;
    let sizeBytes = 0;
    const follower = await JournalReader.open({ dir: journalDir });
    for await (const frame of follower.read(0)) {
      end = frame.next;
      sizeBytes += frame.payload.length;
      if (sizeBytes >= 20_000) break;
    }
    await follower.close();
    expect(end).toBeLessThan(position);
    await writeFile(checkpointFile, JSON.stringify({ identity, done: 0, intent: end }));
    await carryAll();
    expect(await counted()).toEqual({ all: 2000, different: 2000 });
  });

  it("decides on a batch before it sends it, and keeps to that when more has come since", async () => {
    await writeLines(100);
    const tried = journal.durableThrough;
    const nobody = openClickHouse({ ...server.connection, url: "http://127.0.0.1:1" });
    const stop = new AbortController();
    const carrying = carryAll(nobody, stop);
    await expect.poll(savedCheckpoint, patience).toMatchObject({ done: 0, intent: tried });
    stop.abort();
    expect(await carrying).toEqual([]);
    await nobody.close();
    await writeLines(100, 100);
    const positions = (await carryAll()).map(({ carriedThrough }) => carriedThrough);
    expect(positions).toEqual([tried, journal.durableThrough]);
    const end = journal.durableThrough;
    expect(await savedCheckpoint()).toMatchObject({ done: end, intent: end });
    expect(await counted()).toEqual({ all: 200, different: 200 });
  });

  it("loses and doubles nothing when it is killed again and again", async () => {
    const stop = new AbortController();
    const writing = (async () => {
      let written = 0;
      while (!stop.signal.aborted) {
        await writeLines(40, written);
        written += 40;
        await sleep(systemClock, 20);
      }
      return written;
    })();
    for (const reports of [1, 5, 2, 7]) {
      const carrier = startProcess();
      for (let i = 0; i < reports; i++) await once(carrier.stdout!, "data");
      await sleep(systemClock, (reports * 7) % 13);
      carrier.kill("SIGKILL");
      await once(carrier, "exit");
    }
    stop.abort();
    const written = await writing;
    await carryAll();
    expect(await counted()).toEqual({ all: written, different: written });
  });

  it("loses and doubles nothing when ClickHouse is killed during inserts", async () => {
    const carrier = startProcess();
    let written = 0;
    for (const afterMs of [40, 90, 10]) {
      const { pid } = server;
      const writing = writeLines(1500, written);
      await once(carrier.stdout!, "data");
      await sleep(systemClock, afterMs);
      process.kill(pid!, "SIGKILL");
      await writing;
      written += 1500;
      await expect.poll(() => server.state === "ready" && server.pid !== pid, patience).toBe(true);
    }
    carrier.kill("SIGKILL");
    await once(carrier, "exit");
    await carryAll();
    expect(await counted()).toEqual({ all: written, different: written });
  });
});
