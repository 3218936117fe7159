/**
 * Ships container logs to a Loki push API in batches, as a node's log collector does. Bounded: while Loki is down or
 * slow the oldest lines are dropped and counted.
 */
import { messageOf } from "@skopos/model";
import { HttpClient } from "../http/client.ts";

const bufferedLinesMax = 50_000;
const batchLinesMax = 2_000;
const flushEveryMs = 500;

interface ShippedLine {
  readonly stream: string;
  readonly timeNs: string;
  readonly text: string;
}

export class LogShipper {
  dropped = 0;
  shipped = 0;
  failures = 0;
  lastFailure = "";
  readonly #client: HttpClient;
  readonly #path: string;
  readonly #host: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #buffer: ShippedLine[] = [];
  #sending = false;
  #lastMs = 0;
  #sequence = 0;

  /** `lokiUrl`: base; "/loki/api/v1/push" is appended. */
  constructor(lokiUrl: string) {
    const url = new URL(lokiUrl);
    this.#client = new HttpClient({
      host: url.hostname,
      port: Number(url.port || "80"),
      timeoutMs: 5000,
      idleMax: 1,
    });
    this.#host = url.host;
    this.#path = `${url.pathname.replace(/\/$/, "")}/loki/api/v1/push`;
    this.#timer = setInterval(() => void this.flush(), flushEveryMs);
  }

  /** `stream`: the label set as JSON text, the same for all lines of a container. */
  add(stream: string, text: string, timeMs: number): void {
    if (this.#buffer.length >= bufferedLinesMax) {
      this.#buffer.splice(0, bufferedLinesMax / 10);
      this.dropped += bufferedLinesMax / 10;
    }
    // Lines of one millisecond keep their order by their nanoseconds.
    this.#sequence = timeMs === this.#lastMs ? Math.min(999_999, this.#sequence + 1) : 0;
    this.#lastMs = timeMs;
    const timeNs = `${timeMs}${String(this.#sequence).padStart(6, "0")}`;
    this.#buffer.push({ stream, timeNs, text });
  }

  async flush(): Promise<void> {
    if (this.#sending || this.#buffer.length === 0) return;
    this.#sending = true;
    let batch: ShippedLine[] = [];
    try {
      while (this.#buffer.length > 0) {
        batch = this.#buffer.splice(0, batchLinesMax);
        await this.#send(batch);
        this.shipped += batch.length;
      }
    } catch (error) {
      this.failures++;
      this.lastFailure = messageOf(error);
      const room = bufferedLinesMax - this.#buffer.length;
      this.dropped += Math.max(0, batch.length - room);
      this.#buffer = [...batch.slice(Math.max(0, batch.length - room)), ...this.#buffer];
    } finally {
      this.#sending = false;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    this.#client.close();
  }

  async #send(batch: readonly ShippedLine[]): Promise<void> {
    const streams = new Map<string, string[]>();
    for (const { stream, timeNs, text } of batch) {
      let values = streams.get(stream);
      if (values === undefined) streams.set(stream, (values = []));
      values.push(`["${timeNs}",${JSON.stringify(text)}]`);
    }
    const parts = [...streams].map(
      ([stream, values]) => `{"stream":${stream},"values":[${values.join(",")}]}`,
    );
    const response = await this.#client.request({
      method: "POST",
      path: this.#path,
      headers: ["host", this.#host, "content-type", "application/json"],
      body: Buffer.from(`{"streams":[${parts.join(",")}]}`),
    });
    if (response.status >= 300) throw new Error(`Loki answered ${response.status}`);
  }
}
