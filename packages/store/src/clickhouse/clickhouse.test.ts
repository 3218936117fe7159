import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { systemClock } from "@skopos/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClickHouse, readError } from "./client.ts";
import {
  type ClickHouseState,
  type SupervisedClickHouse,
  superviseClickHouse,
} from "./supervise.ts";

const patience = { timeout: 15_000 };
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const states: ClickHouseState[] = [];
const options = {
  entry: new URL("../testing/clickhouse-process.ts", import.meta.url),
  execArgv: ["--import", "tsx"],
  clock: systemClock,
  log: silent,
  memoryBytesMax: 800e6,
};
const forever = "SELECT sleepEachRow(0.05) FROM numbers(1000) SETTINGS max_block_size = 1";
let dir: string;
let server: SupervisedClickHouse;
let client: ClickHouseClient;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "skopos-clickhouse-"));
  server = await superviseClickHouse({
    ...options,
    dir,
    onState: (state) => states.push(state),
  });
  client = openClickHouse({ ...server.connection, database: "default" });
});

afterAll(async () => {
  await client.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function rows<T>(query: string, more: object = {}): Promise<T[]> {
  const result = await client.query({ query, format: "JSONEachRow", ...more });
  return result.json<T>();
}

async function running(on: ClickHouseClient): Promise<number> {
  const query = `SELECT count() AS n FROM system.processes
    WHERE query LIKE '%sleepEachRow%numbers%' AND query NOT LIKE '%system.processes%'`;
  const result = await on.query({ query, format: "JSONEachRow" });
  const [row] = await result.json<{ n: string }>();
  return Number(row?.n);
}

describe("the embedded ClickHouse", () => {
  it("runs with the memory caps that it was given", async () => {
    expect(server.state).toBe("ready");
    const [cap] = await rows<{ value: string }>(
      "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'",
    );
    expect(cap?.value).toBe("800000000");
  });

  it("answers pings and queries with bound parameters, whatever is in them", async () => {
    expect((await client.ping()).success).toBe(true);
    const texts = ["", "it's", "a\\b", "tab\tnew\nline", "'; DROP TABLE x; --", "{a:String}", "ü✓"];
    for (const text of texts) {
      const found = await rows(
        "SELECT {text:String} AS text, {list:Array(String)} AS list, {n:UInt32} AS n, '{n:UInt32}' AS quoted",
        { query_params: { text, list: [text, "x"], n: 7 } },
      );
      expect(found).toEqual([{ text, list: [text, "x"], n: 7, quoted: "{n:UInt32}" }]);
    }
  });

  it("inserts a body and reads it back", async () => {
    await client.command({
      query: "CREATE TABLE things (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
    });
    await client.insert({
      table: "things",
      columns: ["id", "name"],
      values: [
        { id: 1, name: "one\t1" },
        { id: 2, name: "two" },
      ],
      format: "JSONEachRow",
    });
    expect(await rows("SELECT name FROM things ORDER BY id")).toEqual([
      { name: "one\t1" },
      { name: "two" },
    ]);
  });

  it("gives errors as ClickHouse does", async () => {
    await expect(rows("SELEC 1")).rejects.toMatchObject({ code: "62", type: "SYNTAX_ERROR" });
    await expect(rows("SELECT * FROM nowhere")).rejects.toMatchObject({ code: "60" });
    await expect(rows("SELECT {missing:String}")).rejects.toThrow("missing");
    const error = await rows("SELECT match('x', '(')").catch((caught: unknown) =>
      readError(caught),
    );
    expect(error).toMatchObject({ code: "bad-query" });
  });

  it("refuses a query with a setting that there is not, and answers those after it", async () => {
    const one = "SELECT 1 AS one";
    const odd = { max_threads: 3, no_such_setting: "1" };
    for (let i = 0; i < 8; i++)
      await expect(rows(one, { clickhouse_settings: odd })).rejects.toThrow("no_such_setting");
    for (let i = 0; i < 8; i++) expect(await rows(one)).toEqual([{ one: 1 }]);
    const changed = "SELECT value FROM system.settings WHERE name = 'max_threads' AND value = '3'";
    for (let i = 0; i < 8; i++) expect(await rows(changed)).toEqual([]);
  });

  it("keeps a query's settings to that query", async () => {
    const threads = "SELECT value FROM system.settings WHERE name = 'max_threads'";
    const before = await rows(threads);
    const within = await rows(threads, { clickhouse_settings: { max_threads: 3 } });
    expect(within).toEqual([{ value: "3" }]);
    for (let i = 0; i < 8; i++) expect(await rows(threads)).toEqual(before);
  });

  it("ends a query at its time limit", async () => {
    const slow = rows(forever, {
      clickhouse_settings: { max_execution_time: 1 },
    }).catch((caught: unknown) => readError(caught));
    expect(await slow).toMatchObject({ code: "limit" });
  });

  it("stops a query whose client goes away, and serves others meanwhile", async () => {
    const gone = new AbortController();
    const slow = rows(forever, {
      abort_signal: gone.signal,
    });
    await expect.poll(() => running(client), patience).toBe(1);
    gone.abort();
    await expect(slow).rejects.toThrow();
    await expect.poll(() => running(client), patience).toBe(0);
  });

  it("speaks to nobody without the password", async () => {
    const stranger = openClickHouse({ ...server.connection, password: "guess" });
    await expect(stranger.query({ query: "SELECT 1" })).rejects.toMatchObject({ code: "516" });
    await stranger.close();
  });

  it("is restarted on the same address when it is killed, with its data", async () => {
    const { pid } = server;
    process.kill(pid!, "SIGKILL");
    await expect.poll(() => server.state === "ready" && server.pid !== pid, patience).toBe(true);
    expect(states).toContain("down");
    expect(await rows("SELECT count() AS n FROM things")).toHaveLength(1);
    expect(await rows("SELECT name FROM things WHERE id = 2")).toEqual([{ name: "two" }]);
  });

  it("ends with a query running, when told", async () => {
    const other = await mkdtemp(join(tmpdir(), "skopos-clickhouse-"));
    const second = await superviseClickHouse({ ...options, dir: other, memoryBytesMax: 400e6 });
    const itsClient = openClickHouse({ ...second.connection, database: "default" });
    const outcome = itsClient.query({ query: forever }).then(
      () => "answered",
      () => "ended",
    );
    await expect.poll(() => running(itsClient), patience).toBe(1);
    await second.stop();
    expect([second.state, second.pid]).toEqual(["down", undefined]);
    expect(await outcome).toBe("ended");
    await itsClient.close();
    await rm(other, { recursive: true, force: true });
  });

  it.each([
    ["idle", undefined],
    // No query is stopped within a row: the connection is gone long before the query is.
    [
      "with a query that is slow to stop",
      "SELECT sleepEachRow(3) FROM numbers(20) SETTINGS max_block_size = 1",
    ],
  ])(
    "ends by itself when its parent is gone, %s",
    async (_, query) => {
      const other = await mkdtemp(join(tmpdir(), "skopos-clickhouse-"));
      const child = fork(options.entry, [], { execArgv: options.execArgv, silent: true });
      const exited = once(child, "exit");
      child.send({
        type: "start",
        path: other,
        user: "u",
        password: "p",
        port: 0,
        memoryBytesMax: 400e6,
        readers: 2,
      });
      const [{ port }] = (await once(child, "message")) as [{ port: number }];
      const connection = { url: `http://127.0.0.1:${port}`, username: "u", password: "p" };
      const itsClient = openClickHouse({ ...connection, database: "default" });
      const gone = new AbortController();
      const outcome =
        query && itsClient.query({ query, abort_signal: gone.signal }).catch(() => {});
      await expect.poll(() => running(itsClient), patience).toBe(query ? 1 : 0);
      gone.abort();
      child.disconnect();
      await Promise.all([outcome, itsClient.close()]);
      expect(await exited).toEqual([null, "SIGKILL"]);
      await rm(other, { recursive: true, force: true });
    },
    10_000,
  );

  it("is down, and says why, while another process holds its directory", async () => {
    const details: string[] = [];
    const second = await superviseClickHouse({
      ...options,
      dir,
      onState: (state, detail) => {
        if (state === "down") details.push(detail);
      },
    });
    expect(second.state).toBe("down");
    expect(details[0]).toMatch(/did not start: .+/);
    await second.stop();
  });
});
