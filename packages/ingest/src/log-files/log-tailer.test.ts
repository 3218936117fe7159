import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type LogRecord, SkoposError, systemClock } from "@skopos/model";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { containerOf, parseCriLine, workloadOf } from "./container-log.ts";
import { LogTailer, type LogTailerOptions } from "./log-tailer.ts";

let dir: string;
let file: string;
let tailer: LogTailer | undefined;
let refuse = false;
const records: LogRecord[] = [];
const lines = () => records.map(({ line }) => line);

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "skopos-logs-"));
  const container = path.join(dir, "shop_cart-7d4b9c6f5d-x2x4z_0af1-22", "app");
  mkdirSync(container, { recursive: true });
  file = path.join(container, "0.log");
  records.length = 0;
  refuse = false;
});
afterEach(async () => {
  await tailer?.stop();
  tailer = undefined;
  rmSync(dir, { recursive: true });
});

function start(options: Partial<LogTailerOptions> = {}): LogTailer {
  tailer = new LogTailer({
    dir,
    positionsFile: path.join(dir, "positions.json"),
    clock: { ...systemClock, after: (_delayMs, task) => systemClock.after(1, task) },
    take: async (more) => {
      if (refuse) throw new SkoposError("overloaded", "not now");
      records.push(...more);
    },
    onTrouble: () => undefined,
    ...options,
  });
  tailer.start();
  return tailer;
}

const at = "2026-01-01T00:00:00.000000001Z";
const write = (...more: string[]) => appendFileSync(file, more.map((line) => `${line}\n`).join(""));

describe("log files of containers", () => {
  it("are read as they grow, with labels from their path", async () => {
    write(`${at} stdout F one`, `${at} stderr F two`);
    start();
    await vi.waitFor(() => expect(lines()).toEqual(["one", "two"]));
    expect(records[1]).toEqual({
      timeNs: 1_767_225_600_000_000_001n,
      labels: {
        namespace: "shop",
        pod: "cart-7d4b9c6f5d-x2x4z",
        container: "app",
        app: "cart",
        stream: "stderr",
      },
      metadata: {},
      line: "two",
    });
    write(`${at} stdout F three`);
    await vi.waitFor(() => expect(lines()).toEqual(["one", "two", "three"]));
  });

  it("have what the cluster says of the pod in their labels", async () => {
    write(`${at} stdout F one`);
    const podOf = (uid: string) =>
      uid === "0af1-22"
        ? { labels: { "app.kubernetes.io/name": "basket", version: "v2" }, node: "n1" }
        : undefined;
    start({ podOf });
    await vi.waitFor(() => expect(lines()).toEqual(["one"]));
    expect(records[0]?.labels).toMatchObject({ app: "basket", version: "v2", node: "n1" });
  });

  it("have lines that were split put together, over a restart too", async () => {
    write(`${at} stdout P on`, `${at} stdout P e `, `not a line`, `${at} stdout P two `);
    appendFileSync(file, `${at} stdout F thr`);
    await new Promise<void>((resolve) => {
      let rounds = 0;
      start({
        clock: {
          ...systemClock,
          after: (_delayMs, task) => {
            if (++rounds === 3) resolve();
            return systemClock.after(1, task);
          },
        },
      });
    });
    await tailer?.stop();
    expect(lines()).toEqual([]);
    appendFileSync(file, "ee\n");
    start();
    await vi.waitFor(() => expect(lines()).toEqual(["two three"]));
  });

  it("are followed through a rotation and read on after a restart, each line once", async () => {
    write(`${at} stdout F one`);
    start();
    await vi.waitFor(() => expect(lines()).toEqual(["one"]));
    await tailer?.stop();
    write(`${at} stdout F two`);
    renameSync(file, `${file}.20260101-000000`);
    write(`${at} stdout F three`);
    start();
    await vi.waitFor(() => expect(lines()).toEqual(["one", "two", "three"]));
  });

  it("that are cut or replaced are read from their beginning", async () => {
    write(`${at} stdout F one`, `${at} stdout F two`);
    start();
    await vi.waitFor(() => expect(lines()).toEqual(["one", "two"]));
    writeFileSync(file, `${at} stdout F new\n`);
    await vi.waitFor(() => expect(lines()).toEqual(["one", "two", "new"]));
  });

  it("wait while lines are not taken, and come in order afterwards", async () => {
    refuse = true;
    write(`${at} stdout F one`);
    const troubles: string[] = [];
    start({ onTrouble: (reason) => troubles.push(reason) });
    await vi.waitFor(() => expect(troubles).toEqual(["not now"]));
    write(`${at} stdout F two`);
    refuse = false;
    await vi.waitFor(() => expect(lines()).toEqual(["one", "two"]));
  });

  it("of another format are passed over in bounded memory", async () => {
    writeFileSync(file, Buffer.alloc(3 * 1024 * 1024, "x"));
    write("", `${at} stdout F one`);
    start();
    await vi.waitFor(() => expect(lines()).toEqual(["one"]));
    expect(tailer?.counts.unreadable).toBeGreaterThan(0);
  });
});

it("a line in the CRI format", () => {
  expect(parseCriLine("2016-10-06T02:17:09.5+02:00 stderr P:tag log  content")).toEqual({
    timeNs: 1_475_713_029_500_000_000n,
    stream: "stderr",
    partial: true,
    text: "log  content",
  });
  expect(parseCriLine("2016-10-06T00:17:09Z stdout F")).toMatchObject({ text: "" });
  expect(parseCriLine("hello")).toBeUndefined();
});

it("a pod's name without its owner's addition", () => {
  expect(workloadOf("cart-7d4b9c6f5d-x2x4z")).toBe("cart");
  expect(workloadOf("node-agent-x2x4z")).toBe("node-agent");
  expect(workloadOf("db-0")).toBe("db");
  expect(workloadOf("plain")).toBe("plain");
  expect(containerOf("kube-system_a_b", "c")).toMatchObject({ namespace: "kube-system" });
  expect(containerOf("..", "c")).toBeUndefined();
});
