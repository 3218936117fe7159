/** Starts a program of this folder as a process and reads the first line it prints. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

export interface LoadProcess {
  readonly child: ChildProcess;
  readonly firstLine: string;
  stop(): Promise<void>;
}

export async function startLoad(file: string, args: readonly string[]): Promise<LoadProcess> {
  const entry = path.join(import.meta.dirname, file);
  const child = spawn(process.execPath, ["--import", "tsx", entry, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const [firstLine] = (await once(lines, "line")) as [string];
  return {
    child,
    firstLine,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
  };
}

export interface ServedPages {
  readonly byTarget: readonly number[];
  readonly samples: number;
}

/** Pages served since the last time this was asked. */
export async function servedPages(address: string): Promise<ServedPages> {
  const response = await fetch(`http://${address}/served`);
  return (await response.json()) as ServedPages;
}
