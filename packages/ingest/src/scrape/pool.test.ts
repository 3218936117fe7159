import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { FakeClock } from "@skopos/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordingSink } from "../testing/recording-sink.ts";
import { parseScrapeConfig } from "./config.ts";
import { hashText, nextSlot } from "./loop.ts";
import { ScrapePool } from "./pool.ts";

let answer: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => answer(request, response));
let address: string;
let pool: ScrapePool;
let sink: RecordingSink;
let clock: FakeClock;

function says(text: string, headers: Record<string, string> = {}) {
  answer = (_, response) => {
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4", ...headers });
    response.end(text);
  };
}

function start(settings = "", seriesMax?: number) {
  const { jobs } = parseScrapeConfig(
    `scrape_configs:\n- job_name: app\n  scrape_interval: 5s\n  scrape_timeout: 1s\n${settings}`,
  );
  sink = new RecordingSink(seriesMax);
  pool = new ScrapePool({ sink, clock, jobs });
  setTargets(address);
}

function setTargets(...addresses: string[]) {
  const targets = addresses.map((each) => ({ __address__: each }));
  pool.setGroups("app", "static", [{ source: "0", labels: {}, targets }]);
}

/** The samples of scrape `count`, without the time it took. */
async function scrape(count: number): Promise<Record<string, number | "stale">> {
  await clock.advance(untilDueMs());
  const page = await sink.waitFor(count);
  // Lets the loop plan its next scrape.
  await clock.advance(0);
  const own = `{instance="${address}", job="app"}`;
  return Object.fromEntries(
    Object.entries(page.samples)
      .map(([series, value]) => [series.replace(own, ""), value] as const)
      .filter(([series]) => !series.startsWith("scrape_duration_seconds")),
  );
}

beforeEach(async () => {
  clock = new FakeClock();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await pool.stop();
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

const report = (scraped: number, kept: number, added: number) => ({
  up: 1,
  scrape_samples_scraped: scraped,
  scrape_samples_post_metric_relabeling: kept,
  scrape_series_added: added,
});
const failed = { ...report(0, 0, 0), up: 0 };

describe("a target's pages", () => {
  it("arrive whole, with the scrape's own metrics", async () => {
    says('a 1\nb{x="y"} 2\n');
    start();
    expect(await scrape(1)).toEqual({
      a: 1,
      [`b{instance="${address}", job="app", x="y"}`]: 2,
      ...report(2, 2, 2),
    });
    expect(await scrape(2)).toMatchObject(report(2, 2, 0));
    expect(pool.targets()[0]).toMatchObject({ health: "up", lastError: "", samples: 2 });
  });

  it("mark a series that vanished as stale, once", async () => {
    says("a 1\nb 2\n");
    start();
    await scrape(1);
    says("a 1\n");
    expect(await scrape(2)).toEqual({ a: 1, b: "stale", ...report(1, 1, 0) });
    expect(await scrape(3)).toEqual({ a: 1, ...report(1, 1, 0) });
  });

  it("mark everything as stale when the scrape fails, and come back", async () => {
    says("a 1\nb 2\n");
    start();
    await scrape(1);
    answer = (_, response) => response.writeHead(503).end();
    expect(await scrape(2)).toEqual({ a: "stale", b: "stale", ...failed });
    expect(pool.targets()[0]).toMatchObject({
      health: "down",
      lastError: "server returned HTTP status 503 Service Unavailable",
    });
    says("a 3\nb 4\n");
    expect(await scrape(3)).toEqual({ a: 3, b: 4, ...report(2, 2, 2) });
  });

  it("are refused whole when one line is wrong", async () => {
    says("a 1\nb oops\n");
    start();
    expect(await scrape(1)).toEqual(failed);
    expect(pool.targets()[0]).toMatchObject({
      lastErrorCode: "bad-exposition",
      lastError: "the page cannot be read: line 2, column 3: the value is not a number",
    });
  });

  it("are inflated up to the body limit", async () => {
    const page = Buffer.from(`a 1\n# ${"x".repeat(5000)}\n`);
    answer = (request, response) => {
      expect(request.headers["accept-encoding"]).toBe("gzip");
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(page));
    };
    start("  body_size_limit: 6KB\n");
    expect(await scrape(1)).toMatchObject({ a: 1 });
    answer = (_, response) =>
      response
        .writeHead(200, { "content-encoding": "gzip" })
        .end(gzipSync(Buffer.concat([page, page])));
    expect(await scrape(2)).toMatchObject({ up: 0, a: "stale" });
    expect(pool.targets()[0]?.lastErrorCode).toBe("too-large");
  });

  it("are inflated as a stream when they are long, up to the body limit too", async () => {
    const page = Buffer.from(`a 1\n# ${"x".repeat(5_000_000)}\n`);
    answer = (_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(page));
    start("  body_size_limit: 6MB\n");
    expect(await scrape(1)).toMatchObject({ a: 1 });
    answer = (_, response) =>
      response
        .writeHead(200, { "content-encoding": "gzip" })
        .end(gzipSync(Buffer.concat([page, page])));
    expect(await scrape(2)).toMatchObject({ up: 0, a: "stale" });
    expect(pool.targets()[0]?.lastErrorCode).toBe("too-large");
  });

  it("go to their own times when they carry some", async () => {
    says("a 1 1000\na 2 2000\nb 3\n");
    start();
    await scrape(3);
    expect(sink.pages.map((page) => page.timeMs).slice(0, 2)).toEqual([1000, 2000]);
    expect(Object.values(sink.pages[1]?.samples ?? {})).toEqual([2]);
    expect(sink.pages[2]?.samples).not.toHaveProperty(`a{instance="${address}", job="app"}`);
  });

  it("are taken at the scrape's time without honor_timestamps", async () => {
    says("a 1 1000\n");
    start("  honor_timestamps: false\n");
    expect(await scrape(1)).toMatchObject({ a: 1, up: 1 });
  });
});

describe("exemplars", () => {
  it("of an OpenMetrics page go with their series, at their own time or the scrape's", async () => {
    const page = [
      "# TYPE a counter",
      'a_total 1 # {trace_id="x"} 0.5 1.25',
      'a_total{b="c"} 2 # {trace_id="y"} 0.7',
      "# EOF",
      "",
    ];
    says(page.join("\n"), { "content-type": "application/openmetrics-text; version=1.0.0" });
    start();
    await scrape(1);
    const timeMs = sink.pages[0]?.timeMs;
    expect(sink.exemplars).toEqual([
      {
        series: `a_total{instance="${address}", job="app"}`,
        exemplar: { labels: { trace_id: "x" }, value: 0.5, timeMs: 1250 },
      },
      {
        series: `a_total{b="c", instance="${address}", job="app"}`,
        exemplar: { labels: { trace_id: "y" }, value: 0.7, timeMs },
      },
    ]);
  });
});

describe("times of a page's own", () => {
  it("that are far ahead are not believed", async () => {
    const aheadMs = clock.nowMs() + 3_600_000;
    says(`a 1 ${aheadMs}\nb 2\n`);
    start();
    expect(await scrape(1)).toMatchObject({ b: 2, up: 1 });
    expect(sink.pages).toHaveLength(1);
  });

  it("end with a marker when track_timestamps_staleness is on", async () => {
    says("a 1 1000\n");
    start("  track_timestamps_staleness: true\n");
    await scrape(2);
    says("");
    expect(await scrape(3)).toMatchObject({ a: "stale" });
  });
});

describe("labels", () => {
  it("of the target win over the page's, which are kept as exported_", async () => {
    says('a{job="mine"} 1\n');
    start();
    expect(await scrape(1)).toHaveProperty(
      `a{exported_job="mine", instance="${address}", job="app"}`,
      1,
    );
  });

  it("of the page win with honor_labels", async () => {
    says('a{job="mine"} 1\n');
    start("  honor_labels: true\n");
    expect(await scrape(1)).toHaveProperty(`a{instance="${address}", job="mine"}`, 1);
  });

  it("are rewritten and samples dropped by metric_relabel_configs", async () => {
    says('a{le="1"} 1\nb 2\nc{x="y"} 3\n');
    start(
      [
        "  metric_relabel_configs:",
        "  - {source_labels: [__name__], regex: b, action: drop}",
        "  - {regex: x, action: labeldrop}",
        "",
      ].join("\n"),
    );
    expect(await scrape(1)).toEqual({
      [`a{instance="${address}", job="app", le="1.0"}`]: 1,
      c: 3,
      ...report(3, 2, 2),
    });
  });
});

it("series that the store has forgotten are asked for anew", async () => {
  says("a 1\nb 2\n");
  start();
  expect(await scrape(1)).toEqual({ a: 1, b: 2, ...report(2, 2, 2) });
  sink.forget();
  says("a 3\n");
  // What was forgotten has no sample that a marker would end.
  expect(await scrape(2)).toEqual({ a: 3, ...report(1, 1, 1) });
});

describe("limits", () => {
  it.each([
    ["sample_limit: 1", /sample_limit: the page has 2 samples/],
    ["label_limit: 2", /label_limit: a has 3 labels/],
    ["label_value_length_limit: 3", /label_value_length_limit/],
  ])("%s refuses the page", async (setting, message) => {
    says("a 1\nb 2\n");
    start(`  ${setting}\n`);
    expect(await scrape(1)).toEqual(failed);
    expect(pool.targets()[0]?.lastError).toMatch(message);
  });

  it("of the store leave out only the series over it", async () => {
    says("a 1\nb 2\n");
    start("", 6);
    expect(await scrape(1)).toEqual({ a: 1, ...report(2, 2, 1) });
    expect(pool.targets()[0]?.refusedSamples).toBe(1);
  });

  it("of time end a scrape that hangs", async () => {
    const request = new Promise<void>((resolve) => {
      answer = () => resolve();
    });
    start();
    await clock.advance(untilDueMs());
    await request;
    await clock.advance(1000);
    const page = await sink.waitFor(1);
    expect(page.samples).toMatchObject({ [`up{instance="${address}", job="app"}`]: 0 });
    await clock.advance(0);
    expect(pool.targets()[0]).toMatchObject({ lastErrorCode: "timeout" });
  });
});

/** To the moment of the next scrape and not past it: time limits run on the same clock. */
function untilDueMs(): number {
  return nextSlot(clock.nowMs(), 5000, hashText(targetKey()) % 5000) - clock.nowMs();
}

function targetKey(): string {
  return `scrape app ${["instance", address, "job", "app"].join("\u0000")} http://${address}/metrics`;
}

it("a target that discovery no longer names is marked stale and closed; one that stays goes on", async () => {
  says("a 1\n");
  start();
  await scrape(1);
  setTargets();
  const last = await sink.waitFor(2);
  expect(Object.values(last.samples)).toEqual(Array.from({ length: 6 }, () => "stale"));
  expect(sink.closed).toEqual([targetKey()]);
  expect(pool.targets()).toEqual([]);
  await clock.advance(0);
  setTargets(address, address);
  expect(pool.targets()).toHaveLength(1);
});

it("stopping the program marks nothing: it will be back", async () => {
  says("a 1\n");
  start();
  await scrape(1);
  await pool.stop();
  expect(sink.pages).toHaveLength(1);
});

it("credentials are sent and never shown", async () => {
  answer = (request, response) => {
    response.end(`ok{auth="${request.headers.authorization === "Bearer s3cret"}"} 1\n`);
  };
  start("  authorization: {credentials: s3cret}\n");
  expect(await scrape(1)).toHaveProperty(`ok{auth="true", instance="${address}", job="app"}`, 1);
  expect(JSON.stringify(pool.targets())).not.toContain("s3cret");
});
