/**
 * One request to a receiver, asked again and again while the receiver is away or says "later", with growing pauses and no
 * earlier than it says. Source: prometheus.io/docs/specs/prw/remote_write_spec_2_0, retries and backoff.
 */
import { type Clock, messageOf, sleep } from "@skopos/model";
import { request } from "undici";
import { HttpAgent } from "../scrape/agent.ts";
import type { RemoteWriteConfig } from "./config.ts";

interface DeliveryOptions {
  readonly config: RemoteWriteConfig;
  readonly clock: Clock;
  readonly log: { warn(fields: object, message: string): void };
  /** A request failed, for the given reason, or "" when one was taken. */
  readonly onAnswer: (reason: string) => void;
}

/** `whole`: what was refused is not about single samples, so that none of them would be taken alone either. */
type Delivered =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly reason: string; readonly whole: boolean }
  | { readonly kind: "stopped" };

type Outcome = Delivered | { readonly kind: "later"; readonly reason: string; afterMs: number };

const answerBytesMax = 64 * 1024;
/** No receiver can make us wait for longer. */
const retryAfterMsMax = 300_000;
/** Who may write, and where and how: not what. */
const wholeStatuses = new Set([401, 403, 404, 405, 415]);

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #agent: HttpAgent;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const { http, queue } = options.config;
    this.#agent = new HttpAgent(http, options.clock, queue.shardsMax);
  }

  /** Resolves when the receiver took the body, refused it for good, or the signal aborts. */
  async deliver(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Delivered> {
    const { clock, log, config, onAnswer } = this.#options;
    const { backOffMinMs, backOffMaxMs } = config.queue;
    for (let delayMs = backOffMinMs; ; delayMs = Math.min(delayMs * 2, backOffMaxMs)) {
      const outcome = await this.#post(body, headers, signal);
      if (outcome.kind !== "taken" && signal.aborted) return { kind: "stopped" };
      onAnswer("reason" in outcome ? outcome.reason : "");
      if (outcome.kind !== "later") return outcome;
      const waitMs = Math.max(delayMs, outcome.afterMs);
      if (delayMs === backOffMinMs || delayMs === backOffMaxMs)
        log.warn(
          { remote: config.name, reason: outcome.reason, waitMs },
          "remote write is tried again",
        );
      await sleep(clock, waitMs, signal);
      if (signal.aborted) return { kind: "stopped" };
    }
  }

  async #post(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { config, clock } = this.#options;
    const late = new AbortController();
    const cancelTimer = clock.after(config.timeoutMs, () => late.abort());
    try {
      const response = await request(config.url, {
        method: "POST",
        dispatcher: this.#agent.dispatcher(),
        signal: AbortSignal.any([signal, late.signal]),
        body,
        headers: {
          "user-agent": "skopos",
          ...config.headers,
          ...(await this.#agent.headers()),
          ...headers,
        },
      });
      const retryAfter = response.headers["retry-after"];
      if (response.statusCode < 300) {
        await response.body.dump({ limit: answerBytesMax });
        return { kind: "taken" };
      }
      const text = (await response.body.text()).slice(0, 300).trim();
      return this.#judge(response.statusCode, text, String(retryAfter ?? ""));
    } catch (error) {
      const reason = late.signal.aborted ? `no answer in ${config.timeoutMs} ms` : messageOf(error);
      return { kind: "later", reason, afterMs: 0 };
    } finally {
      cancelTimer();
    }
  }

  #judge(status: number, text: string, retryAfter: string): Outcome {
    const reason = `status ${status}: ${text}`;
    const later = status >= 500 || (status === 429 && this.#options.config.queue.retryOn429);
    if (!later) return { kind: "refused", reason, whole: wholeStatuses.has(status) };
    const afterMs = retryAfterMs(retryAfter, this.#options.clock.nowMs());
    return { kind: "later", reason, afterMs };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

/** Seconds, or a date. */
function retryAfterMs(header: string, nowMs: number): number {
  if (header === "") return 0;
  const seconds = Number(header);
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isNaN(waitMs) ? 0 : Math.min(Math.max(0, waitMs), retryAfterMsMax);
}
