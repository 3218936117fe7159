/**
 * The main of the ClickHouse child: one process that holds the embedded engine and nothing else. Its parent tells it what
 * to open; it answers with its port. It ends when told (SIGTERM), and by itself when its parent is gone.
 *
 * The engine crashes a process that exits with a query running, or hangs it for ever, and nobody is left to end one whose
 * parent is gone. So leaving is always: stop listening, ask every query to stop, wait at most two seconds for them, and
 * SIGKILL; the data survives that.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import { isMainThread } from "node:worker_threads";
import { invariant, messageOf, sleep, systemClock } from "@skopos/model";
import { type ChildMessage, readStartMessage, type StartMessage } from "./child-protocol.ts";
import { Engine } from "./engine.ts";
import { createHttpFace } from "./http-face.ts";

const leaveMs = 2000;

function tell(message: ChildMessage): void {
  process.send?.(message);
}

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("killed");
}

async function leave(engine: Engine, server: Server): Promise<void> {
  // The engine may be past answering even this.
  systemClock.after(leaveMs, die);
  const closed = new AbortController();
  server.close(() => closed.abort());
  while (!closed.signal.aborted) {
    // A query that only now got its session runs on; a connection becomes idle when its query ended.
    await engine.killAll();
    server.closeIdleConnections();
    await sleep(systemClock, 20, closed.signal);
  }
  die();
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  invariant(address !== null && typeof address === "object", "listens on a port");
  return address.port;
}

async function start(message: StartMessage): Promise<void> {
  const { path, user, password, port, memoryBytesMax, readers } = message;
  process.on("disconnect", die);
  const engine = await Engine.open({ path, memoryBytesMax, readers });
  const server = createHttpFace({ engine, user, password });
  const listening = await listen(server, port);
  let leaving: Promise<void> | undefined;
  const end = () => {
    leaving ??= leave(engine, server).catch(die);
  };
  process.off("disconnect", die);
  process.on("SIGTERM", end);
  process.on("disconnect", end);
  tell({ type: "ready", port: listening });
  // The parent may have died in between.
  if (!process.connected) end();
}

/** Runs the child until it ends. To be called once, on the main thread of a process that was forked for it. */
export function runClickHouseChild(): void {
  invariant(
    isMainThread && process.connected,
    "the engine has the main thread of a forked process",
  );
  // Ctrl-C reaches the whole process group; the parent decides when this one goes.
  process.on("SIGINT", () => {});
  process.on("uncaughtException", (error) => {
    process.stderr.write(`clickhouse child: ${error.stack ?? error.message}\n`);
    die();
  });
  process.once("message", (received) => {
    const message = readStartMessage(received);
    const started = message
      ? start(message)
      : Promise.reject(new Error("the first message must be a start message"));
    started.catch((error: unknown) => {
      tell({ type: "failed", message: messageOf(error) });
      systemClock.after(200, die);
    });
  });
}
