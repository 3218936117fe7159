/**
 * An open-loop load: requests begin at Poisson times of the wanted rate whether earlier ones have ended or not, so that
 * a slow mesh meets the full load, as real users would bring it. At most `inFlightMax` at once; beyond, requests are
 * skipped and counted.
 */
import { HttpClient } from "../http/client.ts";
import { noBody } from "../http/message.ts";
import { seededRandom } from "../pod/work.ts";
import { chooseWeighted } from "../proxy/weighted.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { LoadReport } from "./report.ts";
import { type LoadShape, rateAt } from "./shape.ts";

const inFlightMax = 2000;
const timeoutMs = 30_000;
const recentS = 10;

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  readonly requests: readonly { readonly request: string; readonly weight: number }[];
  readonly rps: number;
  readonly shape: LoadShape;
  readonly seed: number;
}

export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #random: () => number;
  readonly #choices: { name: string; weight: number }[];
  #client: HttpClient;
  #rps: number;
  #shape: LoadShape;
  #startMs = performance.now();
  #startedMs = Date.now();
  #shapeMs = performance.now();
  #dueMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sent = 0;
  #skipped = 0;
  #inFlight = 0;
  #codes: Record<string, number> = {};
  #latency = new LatencyHistogram();
  /** Completions per second, a ring by second. */
  readonly #recent = new Float64Array(recentS + 1);
  #recentSecond = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#choices = options.requests.map(({ request, weight }) => ({ name: request, weight }));
    this.#rps = options.rps;
    this.#shape = options.shape;
    const { host, port } = options;
    this.#client = new HttpClient({ host, port, timeoutMs, idleMax: 256 });
  }

  start(): void {
    this.#startMs = performance.now();
    this.#startedMs = Date.now();
    this.#shapeMs = this.#startMs;
    this.#dueMs = this.#startMs;
    this.#tick();
  }

  set(rps: number, shape: LoadShape): void {
    this.#rps = rps;
    this.#shape = shape;
    this.#shapeMs = performance.now();
    this.#dueMs = this.#shapeMs;
    clearTimeout(this.#timer);
    this.#tick();
  }

  /** Later requests go there: the gateway has moved. */
  redirect(host: string, port: number): void {
    this.#client.close();
    this.#client = new HttpClient({ host, port, timeoutMs, idleMax: 256 });
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#client.close();
  }

  report(): LoadReport {
    const elapsedS = (performance.now() - this.#startMs) / 1000;
    const latency = this.#latency;
    const at = (share: number) => latency.quantile(share) ?? 0;
    this.#advanceRecent();
    const recent = this.#recent.reduce((sum, count) => sum + count, 0);
    return {
      startedMs: this.#startedMs,
      elapsedS,
      wantedRps: this.#rps,
      shape: this.#shape,
      sent: this.#sent,
      completed: latency.count,
      achievedRps: latency.count / Math.max(elapsedS, 0.001),
      recentRps: recent / Math.min(recentS, Math.max(elapsedS, 0.001)),
      skipped: this.#skipped,
      inFlight: this.#inFlight,
      codes: { ...this.#codes },
      latency:
        latency.count === 0
          ? undefined
          : {
              minMs: latency.minMs,
              avgMs: latency.sumMs / latency.count,
              maxMs: latency.maxMs,
              p50Ms: at(0.5),
              p75Ms: at(0.75),
              p90Ms: at(0.9),
              p95Ms: at(0.95),
              p99Ms: at(0.99),
              p999Ms: at(0.999),
            },
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    const rate = rateAt(this.#shape, this.#rps, nowMs - this.#shapeMs);
    if (rate <= 0) {
      this.#dueMs = nowMs;
      this.#timer = setTimeout(() => this.#tick(), 100);
      return;
    }
    while (this.#dueMs <= nowMs) {
      void this.#send();
      this.#dueMs += (-Math.log(1 - this.#random()) * 1000) / rate;
    }
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, Math.min(100, this.#dueMs - nowMs)));
  }

  async #send(): Promise<void> {
    if (this.#inFlight >= inFlightMax) {
      this.#skipped++;
      return;
    }
    const line = chooseWeighted(this.#choices, this.#random) ?? "GET /";
    const [method = "GET", path = "/"] = line.split(" ");
    this.#sent++;
    this.#inFlight++;
    const startMs = performance.now();
    const headers = ["host", this.#options.authority, "user-agent", "skopos-load/1.0"];
    let code = "-1";
    try {
      const response = await this.#client.request({ method, path, headers, body: noBody });
      code = String(response.status);
    } catch {
      // No answer: counted under -1.
    }
    this.#inFlight--;
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
    this.#latency.add(performance.now() - startMs);
    this.#advanceRecent();
    const slot = this.#recentSecond % this.#recent.length;
    this.#recent[slot] = (this.#recent[slot] ?? 0) + 1;
  }

  #advanceRecent(): void {
    const second = Math.floor(performance.now() / 1000);
    const from = Math.max(this.#recentSecond + 1, second - recentS);
    for (let each = from; each <= second; each++) this.#recent[each % this.#recent.length] = 0;
    this.#recentSecond = second;
  }
}
