/**
 * Lowers the priority of the thread that calls, and of what it starts: when cores are scarce, the thread that pages runs
 * first. Linux keeps a niceness per thread, and names the calling one at /proc/thread-self; elsewhere nothing happens.
 */
import { existsSync, readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import path from "node:path";

const ownThread = "/proc/thread-self";
/** A third of the share that a thread of the usual priority gets beside it. */
const niceness = 5;

/** Says whether it was possible. */
export function giveWayToPaging(): boolean {
  if (!existsSync(ownThread)) return false;
  setPriority(Number(path.basename(readlinkSync(ownThread))), niceness);
  return true;
}
