/** Bad input gets a clear error, and harms nothing beside it. */
import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { KubeServer } from "@skopos/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchDir, startProgram, until } from "../demo/processes.ts";
import { residentBytes } from "./processes.ts";
import { pushLines, pushSamples, remoteWriteType, snappy, writeRequest } from "./pushes.ts";
import { freePort, query, serve, type Served, serveArguments } from "./served.ts";
import { listenAsTarget, type Listening, scrapeConfigOf } from "./targets.ts";

const scratch = scratchDir();
const kube = new KubeServer();
let kubernetes: string;
let served: Served;
let good: Listening;
let nonsense: Listening;

const post = (
  where: string,
  headers: Record<string, string>,
  body: NonNullable<RequestInit["body"]>,
) => fetch(`${served.url}${where}`, { method: "POST", headers, body });
const json = { "content-type": "application/json" };
const protobuf = { "content-type": "application/x-protobuf" };

/** Runs the program to its end; for commands that are refused. */
async function refused(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const running = startProgram(args);
  const { child } = running;
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`still running:\n${running.output()}`)),
        30_000,
      );
      child.on("close", (exitCode) => {
        clearTimeout(timer);
        resolve(exitCode);
      });
    });
    return { code, output: running.output() };
  } finally {
    await running.stop();
  }
}

beforeAll(async () => {
  kubernetes = await kube.listen();
  good = await listenAsTarget(() => "good_level 1\n");
  nonsense = await listenAsTarget(() => "fine 1\nthis is { not an exposition\n");
  served = await serve({
    dir: path.join(scratch.dir, "main"),
    port: await freePort(),
    kubernetes,
    scrapeConfig: scrapeConfigOf([good.address, nonsense.address], "1s"),
  });
}, 90_000);

afterAll(async () => {
  await served?.running.kill();
  await Promise.all([good?.close(), nonsense?.close(), kube.close()]);
  scratch.remove();
});

describe("a push that cannot be read", () => {
  const truncated = writeRequest([
    { labels: { __name__: "bad" }, samples: [{ timeMs: 1, value: 1 }] },
  ]).subarray(0, 9);
  it.each<
    [string, string, Record<string, string>, NonNullable<RequestInit["body"]>, number, RegExp]
  >([
    ["snappy", "/api/v1/write", remoteWriteType, "nonsense", 400, /snappy/i],
    [
      "protobuf in snappy",
      "/api/v1/write",
      remoteWriteType,
      snappy(truncated),
      400,
      /WriteRequest|protobuf|field|byte/i,
    ],
    ["protobuf", "/v1/traces", protobuf, Buffer.from([0x0a, 0xff, 0x01]), 400, /\w{4}/],
    ["JSON", "/v1/traces", json, '{"resourceSpans":[{', 400, /JSON/i],
    ["JSON of another shape", "/v1/traces", json, '{"resourceSpans":5}', 400, /resourceSpans/],
    [
      "JSON for Loki",
      "/loki/api/v1/push",
      json,
      '{"streams":[{"stream":{},"values":[]}]}',
      400,
      /label/,
    ],
    [
      "gzip",
      "/v1/traces",
      { ...json, "content-encoding": "gzip" },
      "nonsense",
      400,
      /inflate|gzip/,
    ],
    ["content type", "/v1/traces", { "content-type": "text/html" }, "x", 415, /text\/html/],
    ["content encoding", "/v1/traces", { ...json, "content-encoding": "br" }, "x", 415, /br/],
  ])(
    "is refused with the reason: malformed %s",
    async (_what, where, headers, body, status, reason) => {
      const response = await post(where, headers, body);
      const text = await response.text();
      expect(text).toMatch(reason);
      expect(response.status).toBe(status);
    },
  );

  it("has written nothing, and the next good one is taken", async () => {
    expect(await query(served, "bad")).toEqual([]);
    const samples = [{ timeMs: Date.now(), value: 7 }];
    expect(
      (await pushSamples(served.url, [{ labels: { __name__: "fine_push" }, samples }])).status,
    ).toBe(204);
    expect((await query(served, "fine_push"))[0]?.value?.[1]).toBe("7");
  });
});

describe("input made to exhaust", () => {
  it("is refused within bounds: a gzip bomb, deep JSON, a huge header, too large a body", async () => {
    const before = residentBytes(served.pid);
    const bomb = gzipSync(Buffer.alloc(256 * 2 ** 20, "a"), { level: 9 });
    const gzipped = { ...json, "content-encoding": "gzip" };
    for (let i = 0; i < 8; i++) {
      const response = await post("/v1/traces", gzipped, bomb);
      expect(await response.text()).toMatch(/larger than/);
      expect(response.status).toBe(413);
    }
    for (const where of ["/v1/traces", "/loki/api/v1/push"]) {
      const response = await post(where, json, "[".repeat(2_000_000));
      expect(response.status).toBe(400);
      await response.text();
    }
    // The deepest that is still well formed, in a place where any value may stand.
    const depth = 100_000;
    const value = `${'{"arrayValue":{"values":['.repeat(depth)}${"]}}".repeat(depth)}`;
    const deep = await post(
      "/v1/traces",
      json,
      `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${value}}]},"scopeSpans":[]}]}`,
    );
    expect([200, 400]).toContain(deep.status);
    const huge = await fetch(`${served.url}/-/healthy`, {
      headers: { "x-huge": "a".repeat(60_000) },
    });
    expect(huge.status).toBe(431);
    const large = await post("/v1/traces", json, Buffer.alloc(33 * 2 ** 20, " ")).catch(
      () => undefined,
    );
    expect(large?.status ?? 413).toBe(413);
    const nested = `${"(".repeat(50_000)}1${")".repeat(50_000)}`;
    const response = await fetch(`${served.url}/api/v1/query`, {
      method: "POST",
      body: new URLSearchParams({ query: nested }),
    });
    expect(response.status).toBe(400);
    await response.text();
    const grown = residentBytes(served.pid) - before;
    console.log(`memory grew by ${(grown / 2 ** 20).toFixed(0)} MiB over bombs of 2 GiB`);
    expect(grown).toBeLessThan(400 * 2 ** 20);
    expect((await fetch(`${served.url}/-/ready`)).status).toBe(200);
  }, 60_000);

  it("half a body that never goes on holds up nobody else", async () => {
    const { port } = new URL(served.url);
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(Number(port), "127.0.0.1");
      socket.on("error", () => {});
      socket.write(
        `POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`,
      );
      return socket;
    });
    try {
      const askedMs = performance.now();
      const lines = [[BigInt(Date.now()) * 1_000_000n, "still here"]] as const;
      expect((await pushLines(served.url, { job: "slow" }, lines)).status).toBe(204);
      expect((await query(served, "good_level"))[0]?.value?.[1]).toBe("1");
      expect(performance.now() - askedMs).toBeLessThan(5000);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});

describe("a target that serves nonsense", () => {
  it("is down with the reason and the place, and its neighbour is up", async () => {
    const targets = await until(
      "both targets were scraped",
      async () => {
        const answer = (await served.get("/api/v1/targets")) as {
          data: { activeTargets: { scrapeUrl: string; health: string; lastError: string }[] };
        };
        const all = answer.data.activeTargets;
        return all.length === 2 && all.every(({ health }) => health !== "unknown")
          ? all
          : undefined;
      },
      20_000,
      100,
    );
    const of = ({ address }: Listening) =>
      targets.find(({ scrapeUrl }) => scrapeUrl.includes(address));
    expect(of(good)).toMatchObject({ health: "up", lastError: "" });
    expect(of(nonsense)?.health).toBe("down");
    expect(of(nonsense)?.lastError).toMatch(/2:\d+|line 2/);
    expect((await query(served, `up{instance="${nonsense.address}"}`))[0]?.value?.[1]).toBe("0");
    expect(await query(served, "fine")).toEqual([]);
  });
});

describe("a start that cannot succeed", () => {
  const write = (name: string, text: string) => {
    const file = path.join(scratch.dir, name);
    writeFileSync(file, text);
    return file;
  };
  const serveWith = async (name: string, ...more: string[]) => [
    "serve",
    "--data-dir",
    path.join(scratch.dir, name),
    "--kubernetes",
    kubernetes,
    "--listen",
    `127.0.0.1:${await freePort()}`,
    ...more,
  ];

  it.each([
    [
      "an expression",
      "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: sum(((\n",
      ":5:15: ",
    ],
    ["YAML", "groups:\n  - name: g\n   rules: [\n", ":3:1: "],
    [
      "a setting",
      "groups:\n  - name: g\n    rules:\n      - alert: A\n        exprr: up\n",
      ":5:9: ",
    ],
  ])(
    "names file, line and column: a rule file with bad %s",
    async (what, text, place) => {
      const file = write("rules-bad.yaml", text);
      const { code, output } = await refused(await serveWith(`rules ${what}`, "--rules", file));
      expect(output).toContain(`${file}${place}`);
      expect(code).toBe(2);
    },
    40_000,
  );

  it("names the setting, the line and the column: a configuration", async () => {
    const file = write("config-bad.yaml", "cluster: x\nscrapeInterval: five\n");
    const { code, output } = await refused(await serveWith("config", "--config", file));
    expect(output).toContain(`${file}:2:17: scrapeInterval: not a duration`);
    expect(code).toBe(2);
  }, 40_000);

  it("names file, line and column: a scrape configuration", async () => {
    const scrape = write(
      "scrape-bad.yaml",
      "scrape_configs:\n  - job_name: a\n    scrape_interval: x\n",
    );
    const file = write("config-scrape.yaml", "scrapeConfig: scrape-bad.yaml\n");
    const { code, output } = await refused(await serveWith("scrape", "--config", file));
    expect(output).toContain(`${scrape}:3:22: `);
    expect(code).toBe(2);
  }, 40_000);

  it.each([
    ["nonsense", /host:port/],
    ["127.0.0.1:99999", /at most 65535/],
    ["0.0.0.0:7080", /without authentication/],
  ])(
    "says what is wrong with --listen %s",
    async (text, reason) => {
      const { code, output } = await refused([
        "serve",
        "--data-dir",
        path.join(scratch.dir, "l"),
        "--listen",
        text,
      ]);
      expect(output).toMatch(reason);
      expect(code).toBe(2);
    },
    40_000,
  );

  it.each([
    ["demo", "--port", "abc"],
    ["demo", "--rps", "many"],
    ["demo", "--scrape-interval", "five"],
    ["lab", "--kube-port", "70000"],
  ])(
    "%s refuses %s %s before it starts anything",
    async (command, option, value) => {
      const { code, output } = await refused([
        command,
        option,
        value,
        "--data-dir",
        path.join(scratch.dir, "o"),
      ]);
      expect(output).toContain(option);
      expect(output).not.toContain("Starting");
      expect(code).toBe(2);
    },
    40_000,
  );

  it("names the port that is in use", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const address = blocker.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const args = serveArguments({ dir: path.join(scratch.dir, "port"), port, kubernetes });
    const { code, output } = await refused(args);
    blocker.close();
    expect(output).toContain(`port ${port} is in use`);
    expect(code).toBe(1);
  }, 40_000);

  it("names the process that holds the data directory, which runs on", async () => {
    const { code, output } = await refused([
      "serve",
      "--data-dir",
      served.dataDir,
      "--kubernetes",
      kubernetes,
      "--listen",
      `127.0.0.1:${await freePort()}`,
    ]);
    expect(output).toContain(`in use by process ${served.pid}`);
    expect(code).toBe(1);
    const fresh = await refused(["demo", "--fresh", "--port", "0", "--data-dir", served.dataDir]);
    expect(fresh.output).toContain(`in use by process ${served.pid}`);
    expect((await query(served, "good_level"))[0]?.value?.[1]).toBe("1");
  }, 40_000);

  it.each([
    ["YAML", "name: [\n", /:2:1: /],
    ["a setting", "name: x\nworkloads: 5\n", /:\d+:\d+: namespaces/],
  ])(
    "names the place: a topology file with bad %s",
    async (_what, text, place) => {
      const file = write("topology-bad.yaml", text);
      const { code, output } = await refused([
        "lab",
        "--topology",
        file,
        "--data-dir",
        path.join(scratch.dir, "lab"),
      ]);
      expect(output).toContain(file);
      expect(output).toMatch(place);
      expect(code).toBe(1);
    },
    40_000,
  );
});

describe("a Kubernetes API that does not answer", () => {
  it("keeps the server from nothing; it says so, and sees the cluster once it is there", async () => {
    const port = await freePort();
    const other = await serve({
      dir: path.join(scratch.dir, "kube"),
      port: await freePort(),
      kubernetes: `http://127.0.0.1:${port}`,
    });
    let relay: { close(): Promise<void> } | undefined;
    try {
      const cluster = async () =>
        (await other.api.call("status")).parts.find(({ name }) => /kubernetes|cluster/i.test(name));
      const part = await until(
        "the status names the trouble",
        async () => {
          const found = await cluster();
          return found?.state === "degraded" ? found : undefined;
        },
        20_000,
        100,
      );
      expect(part.detail.match(/does not answer/g)).toHaveLength(1);
      console.log(`unreachable: ${part.name}: ${part.state}, ${part.detail}`);
      expect((await fetch(`${other.url}/-/ready`)).status).toBe(200);
      relay = await relayTo(port, kubernetes);
      await until(
        "the cluster is seen",
        async () => ((await cluster())?.state === "ok" ? true : undefined),
        60_000,
        200,
      );
    } finally {
      await relay?.close();
      await other.running.kill();
    }
  }, 120_000);
});

/** Lets the cluster appear at a port that was announced before. */
async function relayTo(port: number, target: string): Promise<{ close(): Promise<void> }> {
  const { hostname, port: targetPort } = new URL(target);
  const server = createServer((socket) => {
    const onward = connect(Number(targetPort), hostname);
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
    sockets.add(socket);
  });
  const sockets = new Set<{ destroy(): unknown }>();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
