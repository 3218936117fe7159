import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it("leaves no process behind when the control process is killed", async () => {
  const entry = fileURLToPath(new URL("testing/lab-entry.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), entry], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  const pids: number[] = JSON.parse(String(line));
  expect(pids.length).toBeGreaterThanOrEqual(8);
  expect(pids.every(alive)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(() => pids.filter(alive), { timeout: 10_000 }).toEqual([]);
}, 90_000);
