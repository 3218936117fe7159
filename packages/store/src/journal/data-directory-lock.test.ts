import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { lockDataDirectory } from "./data-directory-lock.ts";

const children: ChildProcess[] = [];
const dirs: string[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true });
});

async function holder(dir: string): Promise<ChildProcess> {
  const script = new URL("../testing/journal-writer-process.ts", import.meta.url);
  const child = fork(script, [dir, "lock"], { execArgv: ["--import", "tsx"], silent: true });
  children.push(child);
  await once(child.stdout!, "data");
  return child;
}

it("is held by one process, names it, and is free the moment that one is killed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "skopos-lock-"));
  dirs.push(dir);
  const child = await holder(dir);
  const refused = await lockDataDirectory(dir).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "data-directory-in-use" });
  expect(String(refused)).toContain(`process ${child.pid}`);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = await lockDataDirectory(dir);
  await expect(lockDataDirectory(dir)).rejects.toThrow(`process ${process.pid}`);
  await lock.release();
  await (await lockDataDirectory(dir)).release();
});
