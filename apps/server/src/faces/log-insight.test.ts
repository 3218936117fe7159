import { createLogEngine } from "@skopos/logql";
import { MemoryLogReader } from "@skopos/logql/testing";
import type { ClusterWatch } from "@skopos/mesh";
import { describe, expect, it } from "vitest";
import { LogInsight } from "./log-insight.ts";

const endMs = 1_700_000_000_000;
const startMs = endMs - 600_000;

function insightOf(reader: MemoryLogReader): LogInsight {
  const cluster = { changes: () => [] } as Pick<ClusterWatch, "changes"> as ClusterWatch;
  return new LogInsight({ logs: createLogEngine(reader), cluster });
}

const asked = (query: string) => ({
  query,
  startMs,
  endMs,
  signal: new AbortController().signal,
});
const page = { limit: 5, direction: "backward", histogram: true } as const;

function access(reader: MemoryLogReader, app: string, atMs: number, metadata: object) {
  reader.add({
    timeNs: BigInt(atMs) * 1_000_000n,
    labels: { namespace: "shop", app },
    metadata: { method: "GET", detected_level: "info", ...metadata },
    line: "{}",
  });
}

describe("lines of a query", () => {
  it("are counted over the whole range, however few are returned", async () => {
    const reader = new MemoryLogReader();
    for (let i = 0; i < 40; i++)
      access(reader, "users", startMs + 1 + i * 15_000, {
        detected_level: i % 4 === 0 ? "error" : "info",
      });
    const found = await insightOf(reader).lines(asked('{app="users"} # all of them'), page);
    expect(found.lines).toHaveLength(5);
    expect(found.more).toBe(true);
    const sum = (level: string) =>
      found.histogram.reduce((all, { counts }) => all + (counts[level] ?? 0), 0);
    expect([found.histogram.length, sum("error"), sum("info")]).toEqual([60, 10, 30]);
    expect(found.histogram[0]).toEqual({ at: startMs, counts: { error: 1 } });
  });

  it("are a series for a metric query", async () => {
    const reader = new MemoryLogReader();
    access(reader, "users", endMs - 1000, {});
    const found = await insightOf(reader).lines(
      asked('sum by (app) (count_over_time({app="users"}[1m]))'),
      page,
    );
    expect(found.metric?.series).toEqual([{ labels: { app: "users" }, points: [[endMs, 1]] }]);
  });
});

describe("what the lines of a service say", () => {
  it("includes what the proxies of its callers say of calling it", async () => {
    const reader = new MemoryLogReader();
    const upstream_cluster = "outbound|80||users.shop.svc.cluster.local";
    for (let i = 0; i < 300; i++) {
      const refused = i >= 250 && i % 2 === 0;
      access(reader, "front", startMs + 1 + i * 2000, {
        upstream_cluster,
        duration_ms: "3",
        ...(refused ? { status: "503", response_flags: "UO" } : { status: "200" }),
      });
      if (!refused)
        access(reader, "users", startMs + 2 + i * 2000, {
          upstream_cluster: "inbound|8080||",
          status: "200",
          duration_ms: "2",
        });
    }
    const { statements, warnings } = await insightOf(reader).explanation(
      asked('{namespace="shop", app="users"}'),
    );
    expect(warnings).toEqual([]);
    expect(statements).toMatchObject([
      { kind: "error", entity: { id: "shop/users" }, at: startMs + 500_000, until: null },
    ]);
    expect(statements[0]?.text).toContain("503 and the flag UO (connection pool overflow)");
  });

  it("needs lines", async () => {
    await expect(
      insightOf(new MemoryLogReader()).explanation(asked('rate({app="users"}[1m])')),
    ).rejects.toMatchObject({ code: "bad-query" });
  });
});

describe("patterns", () => {
  it("are those that were not seen before a moment, when one is asked for", async () => {
    const minute = 60_000;
    const first = Math.floor(startMs / minute) * minute;
    const samples = (...minutes: number[]) =>
      minutes.map((at): [number, number] => [first + at * minute, 3]);
    const logs = {
      ...createLogEngine(new MemoryLogReader()),
      patterns: () =>
        Promise.resolve([
          { pattern: "old <_>", sample: "old 1", samples: samples(-8, 1, 4) },
          { pattern: "early <_>", sample: "early 1", samples: samples(2, 5) },
          { pattern: "late", sample: "late", samples: samples(6) },
        ]),
    };
    const cluster = { changes: () => [] } as Pick<ClusterWatch, "changes"> as ClusterWatch;
    const insight = new LogInsight({ logs, cluster });
    const told = async (since?: number) =>
      (await insight.patterns(asked('{app="users"} | json'), since)).patterns.map(
        ({ pattern, newSince, lines }) => [pattern, newSince, lines],
      );
    const early = [
      "early <_>",
      first + 2 * minute,
      '|> "early <_>" |~ "^\\\\s*early\\\\s+\\\\S+\\\\s*$"',
    ];
    const late = ["late", first + 6 * minute, '|> "late"'];
    expect((await told()).map(([pattern, newSince]) => [pattern, newSince])).toEqual([
      ["old <_>", null],
      early.slice(0, 2),
      late.slice(0, 2),
    ]);
    expect(await told(first + 2 * minute)).toEqual([early, late]);
    expect(await told(first + 3 * minute)).toEqual([late]);
    expect(await told(first + 7 * minute)).toEqual([]);
  });
});
