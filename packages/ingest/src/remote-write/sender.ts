/**
 * Sends samples on to another server by remote write 1.0, in the order they come, one request at a time, so that no series
 * goes backwards. A receiver that is away or says "later" is asked again and again; what it refuses for good (4xx) is sent
 * once more page by page, so that one bad page does not take others with it, and then dropped and counted.
 *
 * At least once: what was sent and not yet noted is sent again after a crash; receivers know a sample by series and time.
 */
import { type Clock, LabelSet, type LabelMap, messageOf, sleep } from "@skopos/model";
import { request } from "undici";
import { HttpAgent } from "../scrape/agent.ts";
import { compileRelabeling } from "../scrape/relabel.ts";
import type { RemoteWriteConfig } from "./config.ts";
import { encodeRemoteWrite, remoteWriteHeaders, type SamplePage } from "./encode.ts";

/** What comes to be sent; `next` is a position that grows. */
export interface OutgoingFrame {
  readonly next: number;
  readonly page: SamplePage | undefined;
}

export interface SenderCounts {
  sentSamples: number;
  /** Refused by the receiver for good. */
  droppedSamples: number;
  /** Older than `sample_age_limit`. */
  agedSamples: number;
  failedRequests: number;
}

export interface SenderOptions {
  readonly config: RemoteWriteConfig;
  readonly externalLabels: LabelMap;
  readonly clock: Clock;
  readonly log: { warn(fields: object, message: string): void };
  /** Everything up to here is sent, or dropped for good. */
  readonly onSent: (position: number) => void;
}

/** Label sets whose relabelled form is remembered. */
const relabelledMax = 200_000;
const connectionsMax = 2;
const answerBytesMax = 64 * 1024;

type Outcome =
  | { readonly kind: "sent" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "later"; readonly reason: string; readonly afterMs: number };

export class RemoteWriteSender {
  readonly counts: SenderCounts = {
    sentSamples: 0,
    droppedSamples: 0,
    agedSamples: 0,
    failedRequests: 0,
  };
  readonly #options: SenderOptions;
  readonly #relabel: (labels: LabelSet) => LabelSet | undefined;
  readonly #agent: HttpAgent;
  /** By label set's identity in the source, which hands on the same object for the same series. */
  #relabelled = new Map<LabelSet, LabelSet | undefined>();

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#agent = new HttpAgent(options.config.http, options.clock, connectionsMax);
    const rules = compileRelabeling(options.config.relabel);
    const external = Object.entries(options.externalLabels);
    this.#relabel = (labels) => {
      const missing = external.filter(([name]) => !labels.has(name));
      const full =
        missing.length === 0 ? labels : LabelSet.fromPairs([...labels.entries(), ...missing]);
      return rules.apply(full);
    };
  }

  /** Until the signal aborts or the frames end. Throws what the frames throw. */
  async run(frames: AsyncIterable<OutgoingFrame>, signal: AbortSignal): Promise<void> {
    const iterator = frames[Symbol.asyncIterator]();
    const { samplesPerSendMax, deadlineMs } = this.#options.config.queue;
    let coming = iterator.next();
    for (let ended = false; !ended && !signal.aborted;) {
      const due = new AbortController();
      const deadline = sleep(
        this.#options.clock,
        deadlineMs,
        AbortSignal.any([signal, due.signal]),
      );
      const pages: SamplePage[] = [];
      let samples = 0;
      let position: number | undefined;
      while (samples < samplesPerSendMax) {
        const got = await Promise.race([coming, deadline]);
        if (!got) break;
        if (got.done) {
          ended = true;
          break;
        }
        position = got.value.next;
        const page = got.value.page && this.#prepared(got.value.page);
        if (page && page.labels.length > 0) pages.push(page);
        samples += page?.labels.length ?? 0;
        coming = iterator.next();
      }
      due.abort();
      for (const part of partsOf(pages, samplesPerSendMax)) await this.#deliver(part, signal);
      if (position !== undefined && !signal.aborted) this.#options.onSent(position);
    }
  }

  /** Relabelled, and without what is too old. */
  #prepared(page: SamplePage): SamplePage | undefined {
    const { sampleAgeMsMax } = this.#options.config.queue;
    if (sampleAgeMsMax > 0 && page.timeMs < this.#options.clock.nowMs() - sampleAgeMsMax) {
      this.counts.agedSamples += page.labels.length;
      return undefined;
    }
    const labels: LabelSet[] = [];
    const values = new Float64Array(page.values.length);
    for (const [i, own] of page.labels.entries()) {
      const relabelled = this.#relabelledOf(own);
      if (!relabelled) continue;
      values.set(page.values.subarray(i, i + 1), labels.length);
      labels.push(relabelled);
    }
    return { timeMs: page.timeMs, labels, values: values.subarray(0, labels.length) };
  }

  #relabelledOf(labels: LabelSet): LabelSet | undefined {
    const known = this.#relabelled.get(labels);
    if (known !== undefined || this.#relabelled.has(labels)) return known;
    if (this.#relabelled.size >= relabelledMax) this.#relabelled = new Map();
    const relabelled = this.#relabel(labels);
    this.#relabelled.set(labels, relabelled);
    return relabelled;
  }

  async #deliver(pages: readonly SamplePage[], signal: AbortSignal): Promise<void> {
    const { clock, log, config } = this.#options;
    const { backOffMinMs, backOffMaxMs } = config.queue;
    const body = encodeRemoteWrite(pages);
    const samples = pages.reduce((sum, { labels }) => sum + labels.length, 0);
    for (
      let delayMs = backOffMinMs;
      !signal.aborted;
      delayMs = Math.min(delayMs * 2, backOffMaxMs)
    ) {
      const outcome = await this.#post(body, signal);
      if (outcome.kind === "sent") {
        this.counts.sentSamples += samples;
        return;
      }
      if (signal.aborted) return;
      this.counts.failedRequests++;
      const { reason } = outcome;
      if (outcome.kind === "later") {
        const waitMs = Math.max(delayMs, outcome.afterMs);
        if (delayMs === backOffMinMs || delayMs === backOffMaxMs)
          log.warn({ remote: config.name, reason, waitMs }, "remote write is tried again");
        await sleep(clock, waitMs, signal);
        continue;
      }
      if (pages.length > 1) {
        for (const page of pages) await this.#deliver([page], signal);
        return;
      }
      this.counts.droppedSamples += samples;
      log.warn(
        { remote: config.name, reason, samples },
        "remote write was refused: samples dropped",
      );
      return;
    }
  }

  async #post(body: Uint8Array, signal: AbortSignal): Promise<Outcome> {
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
          ...this.#agent.headers(),
          ...remoteWriteHeaders,
        },
      });
      const retryAfter = response.headers["retry-after"];
      if (response.statusCode < 300) {
        await response.body.dump({ limit: answerBytesMax });
        return { kind: "sent" };
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
    if (!later) return { kind: "refused", reason };
    return {
      kind: "later",
      reason,
      afterMs: retryAfterMs(retryAfter, this.#options.clock.nowMs()),
    };
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

/** Seconds, or a date. No receiver can make us wait for longer than five minutes. */
const retryAfterMsMax = 300_000;

function retryAfterMs(header: string, nowMs: number): number {
  if (header === "") return 0;
  const seconds = Number(header);
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isNaN(waitMs) ? 0 : Math.min(Math.max(0, waitMs), retryAfterMsMax);
}

/** Runs of pages of at most `samplesMax` samples; a larger page is cut. */
function partsOf(pages: readonly SamplePage[], samplesMax: number): SamplePage[][] {
  const parts: SamplePage[][] = [];
  let part: SamplePage[] = [];
  let room = samplesMax;
  for (const { timeMs, labels, values } of pages)
    for (let from = 0; from < labels.length;) {
      const to = Math.min(labels.length, from + room);
      part.push({ timeMs, labels: labels.slice(from, to), values: values.subarray(from, to) });
      room -= to - from;
      from = to;
      if (room > 0) continue;
      parts.push(part);
      part = [];
      room = samplesMax;
    }
  return part.length > 0 ? [...parts, part] : parts;
}
