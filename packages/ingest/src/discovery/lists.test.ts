import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { FakeClock } from "@skopos/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { plainHttp } from "../scrape/http-config.ts";
import type { TargetGroup } from "../scrape/target.ts";
import type { Discovery } from "./discovery.ts";
import { FileDiscovery } from "./files.ts";
import { HttpDiscovery } from "./http.ts";

let clock: FakeClock;
let seen: TargetGroup[][];
let discovery: Discovery | undefined;
const onGroups = (groups: TargetGroup[]) => void seen.push(groups);

beforeEach(() => {
  clock = new FakeClock();
  seen = [];
});

afterEach(async () => {
  await discovery?.stop();
});

const addresses = () =>
  seen.at(-1)?.flatMap(({ targets }) => targets.map((target) => target["__address__"]));

describe("file_sd_configs", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "skopos-files-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const write = (name: string, text: string) => writeFileSync(path.join(dir, name), text);
  const start = () => {
    const config = {
      files: [path.join(dir, "*.yml"), path.join(dir, "b.json")],
      refreshMs: 60_000,
    };
    discovery = new FileDiscovery({ config, clock, onGroups });
    discovery.start();
  };

  it("are read as YAML and JSON, by pattern and by name", () => {
    write("a.yml", "- targets: ['a:1', 'a:2']\n  labels: {team: x, port: 5}\n");
    write("b.json", '[{"targets": ["b:1"]}]');
    write("c.txt", "no");
    start();
    expect(addresses()).toEqual(["a:1", "a:2", "b:1"]);
    const file = path.join(dir, "a.yml");
    expect(seen[0]?.[0]).toMatchObject({
      source: `${file}:0`,
      labels: { team: "x", port: "5", __meta_filepath: file },
    });
  });

  it("keep what they last gave while they cannot be understood, and lose it with the file", async () => {
    write("a.yml", "- targets: ['a:1']\n");
    start();
    write("a.yml", "- targets: {}\n");
    await clock.advance(60_000);
    expect(addresses()).toEqual(["a:1"]);
    expect(discovery?.lastError).toMatch(/a\.yml: targets of entry 1 must be a list of texts/);
    write("a.yml", "- targets: ['a:2']\n");
    await clock.advance(60_000);
    expect(addresses()).toEqual(["a:2"]);
    expect(discovery?.lastError).toBe("");
    unlinkSync(path.join(dir, "a.yml"));
    await clock.advance(60_000);
    expect(addresses()).toEqual([]);
  });
});

describe("http_sd_configs", () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const server = createServer((request, response) => answer(request, response));
  let url: string;
  beforeEach(async () => {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/targets`;
  });
  afterEach(async () => {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  });

  const says = (text: string, type = "application/json") => {
    answer = (_, response) => response.writeHead(200, { "content-type": type }).end(text);
  };
  const until = async (test: () => boolean) => {
    for (let i = 0; i < 500 && !test(); i++) await clock.advance(1000);
    if (!test()) throw new Error(`not so: ${JSON.stringify(seen)} ${discovery?.lastError}`);
  };

  it("ask again after the interval and keep the last good answer", async () => {
    says('[{"targets": ["a:1"], "labels": {"team": "x"}}]');
    const config = { url, refreshMs: 30_000, http: plainHttp };
    discovery = new HttpDiscovery({ config, clock, onGroups });
    discovery.start();
    await until(() => seen.length > 0);
    expect(seen[0]).toEqual([
      {
        source: `${url}:0`,
        labels: { team: "x", __meta_url: url },
        targets: [{ __address__: "a:1" }],
      },
    ]);
    answer = (_, response) => response.writeHead(500).end();
    await until(() => /HTTP status 500/.test(discovery?.lastError ?? ""));
    says("[]", "text/html");
    await until(() => /answered text\/html/.test(discovery?.lastError ?? ""));
    expect(addresses()).toEqual(["a:1"]);
    says('[{"targets": ["a:2"]}]');
    await until(() => addresses()?.[0] === "a:2");
    expect(discovery.lastError).toBe("");
  });
});
