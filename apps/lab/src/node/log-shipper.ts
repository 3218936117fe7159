/** Ships container logs to a Loki push API, as a node's log collector does. */
import { SendBuffer } from "../http/send-buffer.ts";

const bufferedLinesMax = 50_000;
const batchLinesMax = 2_000;
const flushEveryMs = 500;

interface ShippedLine {
  readonly stream: string;
  readonly timeNs: string;
  readonly text: string;
}

export class LogShipper {
  readonly #buffer: SendBuffer<ShippedLine>;
  #lastMs = 0;
  #sequence = 0;

  /** `lokiUrl`: base; "/loki/api/v1/push" is appended. */
  constructor(lokiUrl: string) {
    this.#buffer = new SendBuffer({
      url: lokiUrl,
      path: "/loki/api/v1/push",
      itemsMax: bufferedLinesMax,
      batchMax: batchLinesMax,
      everyMs: flushEveryMs,
      encode: encodeBatch,
    });
  }

  /** `stream`: the label set as JSON text, the same for all lines of a container. */
  add(stream: string, text: string, timeMs: number): void {
    // Lines of one millisecond keep their order by their nanoseconds.
    this.#sequence = timeMs === this.#lastMs ? Math.min(999_999, this.#sequence + 1) : 0;
    this.#lastMs = timeMs;
    const timeNs = `${timeMs}${String(this.#sequence).padStart(6, "0")}`;
    this.#buffer.add({ stream, timeNs, text });
  }

  close(): Promise<void> {
    return this.#buffer.close();
  }
}

function encodeBatch(batch: readonly ShippedLine[]): string {
  const streams = new Map<string, string[]>();
  for (const { stream, timeNs, text } of batch) {
    let values = streams.get(stream);
    if (values === undefined) streams.set(stream, (values = []));
    values.push(`["${timeNs}",${JSON.stringify(text)}]`);
  }
  const parts = [...streams].map(
    ([stream, values]) => `{"stream":${stream},"values":[${values.join(",")}]}`,
  );
  return `{"streams":[${parts.join(",")}]}`;
}
