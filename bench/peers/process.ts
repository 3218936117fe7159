/** What a process and its children cost, from /proc. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

interface Usage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Of the process alone, without those below it. */
  readonly ownResidentBytes: number;
}

export interface Peer {
  readonly url: string;
  readonly pid: number;
  /** Of the process and everything below it. */
  usage(): Usage;
  stop(): Promise<void>;
}

const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const pageBytes = Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" }));

interface Stat {
  readonly parent: number;
  readonly ticks: number;
  readonly pages: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // From the state on: 1 is the parent, 11 and 12 user and system time, 13 and 14 those of children that ended.
    const at = (index: number) => Number(fields[index] ?? 0);
    return { parent: at(1), ticks: at(11) + at(12) + at(13) + at(14), pages: at(21) };
  } catch {
    return undefined;
  }
}

function usageOf(root: number): Usage {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
    if (stat) stats.set(Number(name), stat);
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = stats.get(at)?.parent)
      if (at === root) return true;
    return false;
  };
  const own = [...stats].filter(([pid]) => isBelow(pid)).map(([, stat]) => stat);
  return {
    cpuSeconds: own.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond,
    residentBytes: own.reduce((sum, { pages }) => sum + pages, 0) * pageBytes,
    ownResidentBytes: (stats.get(root)?.pages ?? 0) * pageBytes,
  };
}

const startMsMax = 120_000;
const stopMsMax = 60_000;

/** Starts a program and waits until `GET readyPath` is well. Its last output is told when it is not. */
export async function startPeer(
  command: string,
  args: readonly string[],
  url: string,
  readyPath: string,
): Promise<Peer> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const keep = (piece: Buffer) => (output = (output + piece.toString()).slice(-4000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  const peer = { url, pid, usage: () => usageOf(pid), stop: () => stopped(child) };
  const deadline = Date.now() + startMsMax;
  while (Date.now() < deadline && child.exitCode === null) {
    const well = await fetch(`${url}${readyPath}`).then(
      async (response) => (await response.text(), response.ok),
      () => false,
    );
    if (well) return peer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await peer.stop();
  throw new Error(`${command} is not ready: ${output}`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  await ended;
  clearTimeout(timer);
}
