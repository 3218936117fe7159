/** Forgets what a server kept in its data directory. */
import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import { lockDataDirectory } from "@skopos/store";

/** What a server makes there; anything else in the directory is somebody else's. */
const ours = [
  "clickhouse",
  "state",
  "telemetry",
  "cli-token",
  "holder",
  "session-key",
  "skopos.log",
];

/** Throws "data-directory-in-use" when a server runs on it, and drops nothing then. */
export async function dropData(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) return;
  const lock = await lockDataDirectory(dataDir);
  try {
    for (const name of ours) rmSync(path.join(dataDir, name), { recursive: true, force: true });
  } finally {
    await lock.release();
  }
}
