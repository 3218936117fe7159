/**
 * One process per data directory.
 *
 * The lock is a listening unix socket named after the directory's device and inode. On Linux the name is abstract: the
 * kernel frees it in the moment the holder dies, however it dies, so there is no stale lock and no race in taking one
 * over, which pid files (even with start times) cannot promise. Elsewhere it is a socket file in the directory, and one
 * that nobody answers is stale. The file `holder` beside it only informs: it names the pid for the error message.
 * The lock does not reach across machines or network namespaces; replicas fence themselves with a Kubernetes Lease.
 */
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join, resolve } from "node:path";
import { SkoposError } from "@skopos/model";

export interface DataDirectoryLock {
  release(): Promise<void>;
}

async function lockAddress(dir: string): Promise<string> {
  if (process.platform !== "linux") return join(dir, "lock.sock");
  const { dev, ino } = await stat(dir, { bigint: true });
  return `\0skopos-data-${dev}-${ino}`;
}

/** The listening server, or undefined when another process listens there. */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => {
      if ("code" in error && error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => resolve(server));
    server.unref();
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function take(address: string): Promise<Server | undefined> {
  const server = await listen(address);
  if (server || address.startsWith("\0") || (await answers(address))) return server;
  await rm(address, { force: true });
  return listen(address);
}

async function inUseError(dir: string): Promise<SkoposError> {
  const pid = await readFile(join(dir, "holder"), "utf8").then(
    (text) => text.trim(),
    () => "unknown",
  );
  return new SkoposError(
    "data-directory-in-use",
    `${resolve(dir)} is in use by process ${pid}: stop that one (kill ${pid}), or start this one with another data directory`,
  );
}

/** Locks `dir` (made when missing) until release or the process's end. Rejects with "data-directory-in-use". */
export async function lockDataDirectory(dir: string): Promise<DataDirectoryLock> {
  await mkdir(dir, { recursive: true });
  const server = await take(await lockAddress(dir));
  if (!server) throw await inUseError(dir);
  await writeFile(join(dir, "holder"), `${process.pid}\n`);
  return {
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
