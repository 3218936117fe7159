import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parseServerConfig, readServerConfigFile } from "./config.ts";

function withFile<Result>(text: string, use: (file: string) => Result): Result {
  const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-config-"));
  try {
    const file = path.join(dir, "skopos.yaml");
    writeFileSync(file, text);
    return use(file);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe("the server's configuration", () => {
  it("has safe defaults", () => {
    const config = parseServerConfig({});
    expect([config.listen, config.scrapeInterval, config.auth.requireIngestToken]).toEqual([
      "127.0.0.1:7080",
      15_000,
      false,
    ]);
  });

  it("refuses to listen beyond loopback without authentication, and says what to do", () => {
    expect(() => parseServerConfig({ listen: "0.0.0.0:7080" })).toThrow(/auth\.tokens/);
    const tokens = [{ name: "ops", role: "admin", sha256: "a".repeat(64) }];
    expect(parseServerConfig({ listen: "0.0.0.0:7080", auth: { tokens } }).listen).toBe(
      "0.0.0.0:7080",
    );
  });

  it("names file, line and column of a wrong setting", () => {
    withFile("dataDir: x\nscrapeInterval: often\n", (file) => {
      expect(() => readServerConfigFile(file)).toThrow(
        `${file}:2:17: scrapeInterval: not a duration: "often"`,
      );
    });
    withFile("dataDir: x\n  nonsense: [", (file) => {
      expect(() => readServerConfigFile(file)).toThrow(`${file}:1:10:`);
    });
  });

  it("refuses settings that do not exist", () => {
    expect(() => parseServerConfig({ scrapInterval: "5s" })).toThrow(/scrapInterval/);
  });

  it("reads the engines of other servers, beside files of logs", () => {
    const engine = { kind: "jaeger", url: "http://jaeger:16686" };
    const text = JSON.stringify({
      traces: { engine },
      logs: {
        engine: { url: "http://loki:3100", headers: { "X-Scope-OrgID": "a" } },
        files: { dir: "pods" },
      },
    });
    withFile(text, (file) => {
      const { traces, logs } = parseServerConfig(readServerConfigFile(file));
      expect(traces.engine).toEqual({ ...engine, headers: {} });
      expect(logs.engine).toEqual({ url: "http://loki:3100", headers: { "X-Scope-OrgID": "a" } });
      expect(logs.files?.dir).toBe(path.join(path.dirname(file), "pods"));
    });
    expect(() => parseServerConfig({ traces: { engine: { url: "http://x" } } })).toThrow(
      /traces\.engine\.kind/,
    );
  });

  it("reads paths relative to the file", () => {
    withFile("dataDir: data\nrules: [rules.yaml]\n", (file) => {
      const base = path.dirname(file);
      expect(readServerConfigFile(file)).toMatchObject({
        dataDir: path.join(base, "data"),
        rules: [path.join(base, "rules.yaml")],
      });
    });
  });
});
