/**
 * What waits to be posted to a collector, in batches. Bounded: while the collector is down or slow the oldest items are dropped
 * and counted, and whoever adds one never waits.
 */
import { messageOf } from "@skopos/model";
import { HttpClient } from "./client.ts";

export interface SendBufferOptions<T> {
  /** Base URL of the collector; `path` is appended to its own. */
  readonly url: string;
  readonly path: string;
  readonly itemsMax: number;
  readonly batchMax: number;
  readonly everyMs: number;
  /** The JSON body of a batch. */
  readonly encode: (batch: readonly T[]) => string;
}

export class SendBuffer<T> {
  dropped = 0;
  sent = 0;
  failures = 0;
  lastFailure = "";
  readonly #options: SendBufferOptions<T>;
  readonly #client: HttpClient;
  readonly #path: string;
  readonly #host: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #items: T[] = [];
  #sending = false;

  constructor(options: SendBufferOptions<T>) {
    this.#options = options;
    const url = new URL(options.url);
    this.#client = new HttpClient({
      host: url.hostname,
      port: Number(url.port || "80"),
      timeoutMs: 5000,
      idleMax: 1,
    });
    this.#host = url.host;
    this.#path = `${url.pathname.replace(/\/$/, "")}${options.path}`;
    this.#timer = setInterval(() => void this.flush(), options.everyMs);
    this.#timer.unref();
  }

  add(item: T): void {
    const { itemsMax, batchMax } = this.#options;
    if (this.#items.length >= itemsMax) {
      const room = Math.ceil(itemsMax / 8);
      this.#items.splice(0, room);
      this.dropped += room;
    }
    this.#items.push(item);
    if (this.#items.length === batchMax) void this.flush();
  }

  /** Sends what waits; resolves when it is sent or a batch has failed. Items of a failed batch go back in line. */
  async flush(): Promise<void> {
    if (this.#sending || this.#items.length === 0) return;
    this.#sending = true;
    let batch: T[] = [];
    try {
      while (this.#items.length > 0) {
        batch = this.#items.splice(0, this.#options.batchMax);
        await this.#post(this.#options.encode(batch));
        this.sent += batch.length;
      }
    } catch (error) {
      this.failures++;
      this.lastFailure = messageOf(error);
      const overflow = Math.max(0, batch.length + this.#items.length - this.#options.itemsMax);
      this.dropped += overflow;
      this.#items = [...batch.slice(overflow), ...this.#items];
    } finally {
      this.#sending = false;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    this.#client.close();
  }

  async #post(body: string): Promise<void> {
    const response = await this.#client.request({
      method: "POST",
      path: this.#path,
      headers: ["host", this.#host, "content-type", "application/json"],
      body: Buffer.from(body),
    });
    if (response.status >= 300) throw new Error(`the collector answered ${response.status}`);
  }
}
