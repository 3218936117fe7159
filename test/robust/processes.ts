/** The processes of this machine, read from /proc: who descends from whom, who carries a mark, how big one is. */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** In clock ticks since the machine started; with the id it names a process for ever. */
  readonly startedTicks: number;
  /** Its arguments, joined by spaces. */
  readonly command: string;
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    // It ended between the listing and the reading.
    return "";
  }
}

/** Every living process, zombies left out. */
export function everyProcess(): ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readOrNothing(`/proc/${name}/stat`);
      // The name in parentheses may hold anything; after it come the state, the parent, and in the 20th place the start.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const [state, parent] = fields;
      if (stat === "" || state === "Z") return [];
      const command = readOrNothing(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim();
      return [
        { pid: Number(name), parent: Number(parent), startedTicks: Number(fields[19]), command },
      ];
    });
}

/** Every living process below `pid`. */
export function descendantsOf(pid: number): ProcessEntry[] {
  const all = everyProcess();
  const found: ProcessEntry[] = [];
  const queue = [pid];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop())
    for (const entry of all)
      if (entry.parent === parent) {
        found.push(entry);
        queue.push(entry.pid);
      }
  return found;
}

/** Every living process that was started with `variable` in its environment, directly or by inheritance. */
export function processesWith(variable: string): ProcessEntry[] {
  return everyProcess().filter(({ pid }) =>
    readOrNothing(`/proc/${pid}/environ`).split("\0").includes(variable),
  );
}

/** Bytes of memory that the process holds. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readOrNothing(`/proc/${pid}/status`))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} is gone`);
  return Number(kilobytes) * 1024;
}
