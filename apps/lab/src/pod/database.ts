/**
 * `user-db`: a TCP server with a line protocol. "Q <id> <ms>" works for about that long and answers "R <id> <row>"; one
 * statement at a time per connection, in order. More than `maxConnections` connections are refused with "E - too many
 * connections". Rows come from a table in memory.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { AppSettings } from "./settings.ts";
import type { Worker } from "./work.ts";

const lineBytesMax = 1024;
const rows = 1000;

export interface DatabaseCounts {
  connections: number;
  statements: number;
  refused: number;
}

export function createDatabase(
  settings: AppSettings,
  worker: Worker,
): { server: Server; counts: DatabaseCounts } {
  const counts: DatabaseCounts = { connections: 0, statements: 0, refused: 0 };
  const table = Array.from({ length: rows }, (_, id) => JSON.stringify(rowOf(id)));
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    if (counts.connections >= settings.maxConnections) {
      counts.refused++;
      socket.end("E - too many connections\n");
      return;
    }
    counts.connections++;
    socket.on("close", () => counts.connections--);
    serve(socket, async (statement) => {
      const [verb, id = "0", ms = "1"] = statement.split(" ");
      if (verb !== "Q") return `E ${id} unknown statement`;
      counts.statements++;
      worker.burn(0.03);
      await worker.wait(Math.min(60_000, Number(ms) || 1) * settings.queryFactor);
      return `R ${id} ${table[Math.abs(Number(id) || 0) % rows]}`;
    });
  });
  return { server, counts };
}

function serve(socket: Socket, answer: (statement: string) => Promise<string>): void {
  let pending = "";
  let tail = Promise.resolve();
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    pending += text;
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    if (pending.length > lineBytesMax) return socket.destroy();
    for (const line of lines) {
      tail = answerAfter(tail, socket, answer, line);
    }
    return undefined;
  });
}

async function answerAfter(
  before: Promise<void>,
  socket: Socket,
  answer: (statement: string) => Promise<string>,
  line: string,
): Promise<void> {
  await before;
  const reply = await answer(line);
  if (!socket.destroyed) socket.write(`${reply}\n`);
}

function rowOf(id: number) {
  return { id, name: `user-${id}`, joined: 2000 + (id % 25), followers: (id * 7919) % 5000 };
}
