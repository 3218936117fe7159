/** What a process has used so far, from Linux's /proc; undefined where there is none, or the process is gone. */
import { readFileSync } from "node:fs";

const ticksPerSecond = 100;
const pageBytes = 4096;

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

export function readProcessUsage(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const memory = readFileSync(`/proc/${pid}/statm`, "latin1");
    // Fields after the command, which is in parentheses and may hold spaces (proc(5)): utime is 14th, stime 15th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return {
      cpuSeconds: ticks / ticksPerSecond,
      residentBytes: Number(memory.split(" ")[1]) * pageBytes,
    };
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
