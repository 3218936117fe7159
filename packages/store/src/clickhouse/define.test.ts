import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "@skopos/model";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openClickHouse } from "./client.ts";
import { type SupervisedClickHouse, superviseClickHouse } from "./supervise.ts";

let dir: string;
let server: SupervisedClickHouse | undefined;
let why: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "skopos-define-"));
});
afterEach(async () => {
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function start(): Promise<SupervisedClickHouse> {
  why = "";
  server = await superviseClickHouse({
    entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
    execArgv: ["--import", "tsx"],
    dir,
    clock: systemClock,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    memoryBytesMax: 400e6,
    onState: (state, detail) => {
      if (state === "down") why ||= detail;
    },
  });
  return server;
}

async function run(...queries: string[]): Promise<void> {
  if (!server) throw new Error("started before");
  const client = openClickHouse({ ...server.connection, database: "default" });
  for (const query of queries) await client.command({ query });
  await client.close();
}

/** As ClickHouse leaves it when the disk is full. */
async function loseDefinition(table: string): Promise<void> {
  const found = await readdir(path.join(dir, "store"), { recursive: true });
  const file = found.find((name) => path.basename(name) === `${table}.sql`);
  await truncate(path.join(dir, "store", file ?? ""));
}

const made = [
  "CREATE DATABASE kept",
  "CREATE TABLE kept.empty (a UInt8) ENGINE = MergeTree ORDER BY a",
  "CREATE TABLE kept.full (a UInt8) ENGINE = MergeTree ORDER BY a",
  "INSERT INTO kept.full VALUES (1)",
];

it("starts without a table whose definition is empty when it holds nothing", async () => {
  const first = await start();
  await run(...made);
  await first.stop();
  await loseDefinition("empty");
  expect((await start()).state).toBe("ready");
  await run(
    "CREATE TABLE kept.empty (a UInt8) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO kept.empty SELECT a FROM kept.full",
  );
});

it("says what to do when a table with rows has an empty definition", async () => {
  const first = await start();
  await run(...made);
  await first.stop();
  await loseDefinition("full");
  expect((await start()).state).toBe("down");
  expect(why).toMatch(/definition of kept\.full was lost on a full disk .* restore that file/);
});
