/** What a server keeps in its data directory for signing in: the key of its sessions and the token of this machine's CLI. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { digestOf, type TokenEntry } from "./sessions.ts";

/** Files are readable by their owner alone. */
const secretMode = 0o600;

export function loadSessionKey(dataDir: string): Buffer {
  const file = path.join(dataDir, "session-key");
  if (!existsSync(file)) {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(file, randomBytes(32), { mode: secretMode });
  }
  return readFileSync(file);
}

/** A new token for the CLI of this machine's user, at each start. */
export function writeCliToken(dataDir: string): TokenEntry {
  const token = randomBytes(32).toString("base64url");
  writeFileSync(path.join(dataDir, "cli-token"), `${token}\n`, { mode: secretMode });
  return { name: "cli", role: "admin", sha256: digestOf(token) };
}
