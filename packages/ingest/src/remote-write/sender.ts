/**
 * Sends on to another server what comes, by remote write 1.0 or 2.0. What has come goes out in rounds: the longer a round
 * takes, the more has come for the next, and the more requests carry it side by side, up to `max_shards`. The next round
 * waits for the end of the one before, so that no series overtakes itself and a position says that all before it is there.
 *
 * What a receiver refuses for good (4xx) is sent once more piece by piece, so that one bad page does not take others with
 * it, and then dropped and counted. At least once: what was sent and not yet noted is sent again after a crash; receivers
 * know a sample by series and time.
 */
import { type Clock, LabelSet, type LabelMap, type MetricMetadata, sleep } from "@skopos/model";
import { compileRelabeling } from "../scrape/relabel.ts";
import type { RemoteWriteConfig } from "./config.ts";
import { Delivery } from "./delivery.ts";
import { encodeMetadata, encodeRemoteWrite, remoteWriteHeaders } from "./encode.ts";
import { encodeRemoteWriteV2, remoteWriteHeadersV2 } from "./encode-v2.ts";
import { lanesOf, partsOf } from "./lanes.ts";
import { type OutgoingItem, pointsOf, type SamplePage } from "./outgoing.ts";

/** What comes to be sent; `next` is a position that grows. */
export interface OutgoingFrame {
  readonly next: number;
  readonly item: OutgoingItem | undefined;
}

export interface SenderCounts {
  /** Native histograms are samples too. */
  sentSamples: number;
  sentHistograms: number;
  sentExemplars: number;
  sentMetadata: number;
  sentBytes: number;
  /** Refused by the receiver for good. */
  droppedSamples: number;
  /** Older than `sample_age_limit`. */
  agedSamples: number;
  requests: number;
  failedRequests: number;
  /** Requests of the last round that went side by side. */
  shards: number;
}

export interface SenderOptions {
  readonly config: RemoteWriteConfig;
  readonly externalLabels: LabelMap;
  readonly clock: Clock;
  readonly log: { warn(fields: object, message: string): void };
  /** Everything up to here is sent, or dropped for good. */
  readonly onSent: (position: number) => void;
}

interface Round {
  readonly items: readonly OutgoingItem[];
  readonly points: number;
  /** Undefined when nothing came. */
  readonly position: number | undefined;
  readonly ended: boolean;
}

/** Label sets whose relabelled form is remembered. */
const relabelledMax = 200_000;

export class RemoteWriteSender {
  readonly counts: SenderCounts = {
    sentSamples: 0,
    sentHistograms: 0,
    sentExemplars: 0,
    sentMetadata: 0,
    sentBytes: 0,
    droppedSamples: 0,
    agedSamples: 0,
    requests: 0,
    failedRequests: 0,
    shards: 0,
  };
  /** Why the last request failed; "" when it was taken. */
  lastError = "";
  readonly #options: SenderOptions;
  readonly #relabel: (labels: LabelSet) => LabelSet | undefined;
  readonly #delivery: Delivery;
  /** By label set's identity in the source, which hands on the same object for the same series. */
  #relabelled = new Map<LabelSet, LabelSet | undefined>();
  #metadata: ReadonlyMap<string, MetricMetadata> = new Map();
  #metadataSentMs = -Infinity;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { config, clock, log } = options;
    this.#delivery = new Delivery({
      config,
      clock,
      log,
      onAnswer: (reason) => {
        this.counts.requests++;
        if (reason !== "") this.counts.failedRequests++;
        this.lastError = reason;
      },
    });
    const rules = compileRelabeling(config.relabel);
    const external = Object.entries(options.externalLabels);
    this.#relabel = (labels) => {
      const missing = external.filter(([name]) => !labels.has(name));
      const full =
        missing.length === 0 ? labels : LabelSet.fromPairs([...labels.entries(), ...missing]);
      return rules.apply(full);
    };
  }

  /** What families say of themselves now. */
  noteMetadata(families: ReadonlyMap<string, MetricMetadata>): void {
    this.#metadata = families;
  }

  /** Until the signal aborts or the frames end. Throws what the frames throw. */
  async run(frames: AsyncIterable<OutgoingFrame>, signal: AbortSignal): Promise<void> {
    const source = new RoundSource(frames[Symbol.asyncIterator](), this.#options);
    let sending: Promise<void> = Promise.resolve();
    try {
      for (let ended = false; !ended && !signal.aborted;) {
        const round = await source.gather((item) => this.#prepared(item), sending, signal);
        await sending;
        sending = this.#send(round, signal);
        ended = round.ended;
      }
    } finally {
      await sending;
    }
  }

  /** Relabelled; undefined when nothing of it is to be sent. */
  #prepared(item: OutgoingItem): OutgoingItem | undefined {
    const { exemplars, histograms } = this.#options.config.sends;
    if (item.type === "page") return this.#preparedPage(item);
    if (item.type === "exemplar" ? !exemplars : !histograms) return undefined;
    const labels = this.#relabelledOf(item.labels);
    if (!labels) return undefined;
    if (item.type === "histogram" && this.#isAged(item.timeMs)) {
      this.counts.agedSamples++;
      return undefined;
    }
    return { ...item, labels };
  }

  #preparedPage(page: SamplePage): SamplePage | undefined {
    if (this.#isAged(page.timeMs)) {
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
    if (labels.length === 0) return undefined;
    return { ...page, labels, values: values.subarray(0, labels.length) };
  }

  #isAged(timeMs: number): boolean {
    const { sampleAgeMsMax } = this.#options.config.queue;
    return sampleAgeMsMax > 0 && timeMs < this.#options.clock.nowMs() - sampleAgeMsMax;
  }

  #relabelledOf(labels: LabelSet): LabelSet | undefined {
    const known = this.#relabelled.get(labels);
    if (known !== undefined || this.#relabelled.has(labels)) return known;
    if (this.#relabelled.size >= relabelledMax) this.#relabelled = new Map();
    const relabelled = this.#relabel(labels);
    this.#relabelled.set(labels, relabelled);
    return relabelled;
  }

  async #send({ items, points, position }: Round, signal: AbortSignal): Promise<void> {
    const { samplesPerSendMax, shardsMax } = this.#options.config.queue;
    await this.#sendMetadata(signal);
    const lanes = Math.max(1, Math.min(shardsMax, Math.ceil(points / samplesPerSendMax)));
    if (points > 0) this.counts.shards = lanes;
    await Promise.all(
      lanesOf(items, lanes).map(async (lane) => {
        for (const part of partsOf(lane, samplesPerSendMax)) await this.#deliver(part, signal);
      }),
    );
    if (position !== undefined && !signal.aborted) this.#options.onSent(position);
  }

  async #deliver(items: readonly OutgoingItem[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { log, config } = this.#options;
    const second = config.protocol === "2.0";
    const body = second ? encodeRemoteWriteV2(items, this.#metadata) : encodeRemoteWrite(items);
    const headers = second ? remoteWriteHeadersV2 : remoteWriteHeaders;
    const delivered = await this.#delivery.deliver(body, headers, signal);
    if (delivered.kind === "stopped") return;
    const samples = items.reduce((sum, item) => sum + pointsOf(item), 0);
    if (delivered.kind === "taken") {
      this.counts.sentBytes += body.length;
      this.counts.sentSamples += samples;
      for (const { type } of items)
        if (type === "histogram") this.counts.sentHistograms++;
        else if (type === "exemplar") this.counts.sentExemplars++;
      return;
    }
    if (items.length > 1 && !delivered.whole) {
      for (const item of items) if (item.type !== "exemplar") await this.#deliver([item], signal);
      return;
    }
    this.counts.droppedSamples += samples;
    const { reason } = delivered;
    log.warn({ remote: config.name, reason, samples }, "remote write was refused: samples dropped");
  }

  /** Version 2.0 has it with every series. Not sent again when it is refused: it comes anew soon. */
  async #sendMetadata(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#options;
    const { metadata: wanted, metadataEveryMs, metadataPerSendMax } = config.sends;
    const nowMs = clock.monotonicMs();
    if (!wanted || config.protocol === "2.0" || this.#metadata.size === 0) return;
    if (nowMs - this.#metadataSentMs < metadataEveryMs) return;
    this.#metadataSentMs = nowMs;
    const families = [...this.#metadata];
    for (let from = 0; from < families.length && !signal.aborted; from += metadataPerSendMax) {
      const some = families.slice(from, from + metadataPerSendMax);
      const body = encodeMetadata(some);
      const delivered = await this.#delivery.deliver(body, remoteWriteHeaders, signal);
      if (delivered.kind === "taken") this.counts.sentMetadata += some.length;
    }
  }

  close(): Promise<void> {
    return this.#delivery.close();
  }
}

/** Frames as rounds. */
class RoundSource {
  readonly #iterator: AsyncIterator<OutgoingFrame>;
  readonly #options: SenderOptions;
  #coming: Promise<IteratorResult<OutgoingFrame>>;

  constructor(iterator: AsyncIterator<OutgoingFrame>, options: SenderOptions) {
    this.#iterator = iterator;
    this.#options = options;
    this.#coming = iterator.next();
  }

  /**
   * What comes until `before` is settled and there is a request's worth, or the deadline is over; never more than all
   * shards can take.
   */
  async gather(
    prepare: (item: OutgoingItem) => OutgoingItem | undefined,
    before: Promise<void>,
    signal: AbortSignal,
  ): Promise<Round> {
    const { config, clock } = this.#options;
    const { samplesPerSendMax, shardsMax, deadlineMs } = config.queue;
    const due = new AbortController();
    const late = sleep(clock, deadlineMs, AbortSignal.any([signal, due.signal]));
    const overdue = Promise.all([late, before]).then(() => undefined);
    const items: OutgoingItem[] = [];
    let points = 0;
    let position: number | undefined;
    let ended = false;
    while (points < samplesPerSendMax * shardsMax) {
      const enough = points >= samplesPerSendMax ? before : overdue;
      const got = await Promise.race([this.#coming, enough]);
      if (!got) break;
      if (got.done) {
        ended = true;
        break;
      }
      position = got.value.next;
      const item = got.value.item && prepare(got.value.item);
      if (item) {
        items.push(item);
        points += pointsOf(item);
      }
      this.#coming = this.#iterator.next();
    }
    due.abort();
    return { items, points, position, ended };
  }
}
