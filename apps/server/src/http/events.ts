/** Server-sent events: tells open pages that something is new, never what; slow readers are cut off, not waited for. */
import type { FastifyInstance } from "fastify";
import { apiPrefix, type LiveEvent } from "@skopos/api";
import { SkoposError } from "@skopos/model";
import type { ServerResponse } from "node:http";
import type { Guard } from "./guard.ts";

const listenersMax = 500;
const bufferedBytesMax = 256 * 1024;
const heartbeatMs = 15_000;

export class EventStream {
  readonly #listeners = new Set<ServerResponse>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor() {
    this.#heartbeat = setInterval(() => this.#write(": still here\n\n"), heartbeatMs);
    this.#heartbeat.unref();
  }

  bind(app: FastifyInstance, guard: Guard): void {
    app.get(`${apiPrefix}/events`, (request, reply) => {
      guard.require(request, "viewer", false);
      if (this.#listeners.size >= listenersMax)
        throw new SkoposError("overloaded", "too many pages are listening");
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      raw.write("retry: 2000\n\n");
      this.#listeners.add(raw);
      raw.on("close", () => this.#listeners.delete(raw));
    });
  }

  send(event: LiveEvent): void {
    this.#write(`data: ${JSON.stringify(event)}\n\n`);
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const listener of this.#listeners) listener.destroy();
    this.#listeners.clear();
  }

  #write(text: string): void {
    for (const listener of this.#listeners) {
      if (listener.writableLength > bufferedBytesMax) listener.destroy();
      else listener.write(text);
    }
  }
}
