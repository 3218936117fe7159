/**
 * One target's loop: scrapes at multiples of the interval plus an offset that its identity gives, so that targets spread and
 * a restart keeps their places. A scrape that is still running when the next is due makes that one fall out.
 */
import { type Clock, type MetricSink, sleep } from "@skopos/model";
import { failureOf } from "./failure.ts";
import type { ScrapeJob } from "./config.ts";
import type { FetchedPage, PageFetcher } from "./fetch.ts";
import { type PageCounts, PageWriter } from "./page-writer.ts";
import { mediaTypeOr } from "./protocols.ts";
import type { Relabeling } from "./relabel.ts";
import type { Target } from "./target.ts";

/** As `/api/v1/targets` shows it; plain data. */
export interface TargetStatus {
  readonly job: string;
  readonly url: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly health: "unknown" | "up" | "down";
  readonly lastError: string;
  /** Stable code of the last error, "" when none. */
  readonly lastErrorCode: string;
  readonly lastScrapeMs: number | undefined;
  readonly durationMs: number | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly samples: number;
  /** Samples not stored because the store's series limit was reached. */
  readonly refusedSamples: number;
  /** Scrapes that fell out because the one before ran too long. */
  readonly missedScrapes: number;
}

const bodyMaxDefault = 64 * 1024 * 1024;
/** Scrapes that start this little late are written at their planned time, so that times compress. */
const lateMaxMs = 10;

/** FNV-1a, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash;
}

export class ScrapeLoop {
  readonly target: Target;
  readonly #clock: Clock;
  readonly #fetcher: PageFetcher;
  readonly #writer: PageWriter;
  readonly #bodyMax: number;
  readonly #fallback: ScrapeJob["fallbackProtocol"];
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #status: TargetStatus;

  constructor(options: {
    target: Target;
    job: ScrapeJob;
    relabeling: Relabeling;
    sink: MetricSink;
    clock: Clock;
    fetcher: PageFetcher;
  }) {
    const { target, job } = options;
    this.target = target;
    this.#clock = options.clock;
    this.#fetcher = options.fetcher;
    this.#bodyMax = job.limits.bodySizeBytes || bodyMaxDefault;
    this.#fallback = job.fallbackProtocol;
    this.#writer = new PageWriter(job, options.relabeling, target, options.sink);
    this.#status = {
      job: target.job,
      url: target.url,
      labels: target.labels.toMap(),
      discoveredLabels: target.discoveredLabels.toMap(),
      health: "unknown",
      lastError: "",
      lastErrorCode: "",
      lastScrapeMs: undefined,
      durationMs: undefined,
      intervalMs: target.intervalMs,
      timeoutMs: target.timeoutMs,
      samples: 0,
      refusedSamples: 0,
      missedScrapes: 0,
    };
  }

  get status(): TargetStatus {
    return this.#status;
  }

  get metadata(): PageWriter["layout"]["metadata"] {
    return this.#writer.layout.metadata;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Ends the loop. With `markStale` the target is gone for good; without, the program stops and will be back. */
  async stop(markStale: boolean): Promise<void> {
    this.#stop.abort();
    await this.#done;
    if (markStale) this.#writer.end(this.#clock.nowMs());
  }

  async #run(): Promise<void> {
    const { intervalMs, key } = this.target;
    const offsetMs = hashText(key) % intervalMs;
    const { signal } = this.#stop;
    let plannedMs = nextSlot(this.#clock.nowMs(), intervalMs, offsetMs);
    while (!signal.aborted) {
      await sleep(this.#clock, Math.max(0, plannedMs - this.#clock.nowMs()), signal);
      if (signal.aborted) return;
      await this.#scrape(plannedMs);
      const next = nextSlot(this.#clock.nowMs(), intervalMs, offsetMs);
      const missed = Math.max(0, Math.round((next - plannedMs) / intervalMs) - 1);
      if (missed > 0)
        this.#status = { ...this.#status, missedScrapes: this.#status.missedScrapes + missed };
      plannedMs = Math.max(next, plannedMs + 1);
    }
  }

  async #scrape(plannedMs: number): Promise<void> {
    const startMs = this.#clock.nowMs();
    const began = this.#clock.monotonicMs();
    const lateMs = startMs - plannedMs;
    const tolerance = Math.min(lateMaxMs, this.target.intervalMs / 100);
    const timeMs = lateMs >= 0 && lateMs <= tolerance ? plannedMs : startMs;
    const elapsed = () => this.#clock.monotonicMs() - began;
    try {
      const { signal } = this.#stop;
      const { url, timeoutMs } = this.target;
      const request = { url, timeoutMs, bodyMax: this.#bodyMax, signal };
      const page = await this.#fetcher.fetch(request);
      const counts = this.#write(page, timeMs, elapsed);
      this.#note(startMs, elapsed(), undefined, counts.scraped, counts.refused);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#writer.writeFailure(timeMs, elapsed());
      this.#note(startMs, elapsed(), error, 0, 0);
    }
  }

  #write(page: FetchedPage, timeMs: number, elapsed: () => number): PageCounts {
    try {
      const contentType = mediaTypeOr(page.contentType, this.#fallback);
      return this.#writer.writePage(page.body, contentType, timeMs, elapsed);
    } finally {
      page.release?.();
    }
  }

  #note(startMs: number, durationMs: number, error: unknown, samples: number, refused: number) {
    const failure =
      error === undefined ? undefined : failureOf(error, new URL(this.target.url).host);
    this.#status = {
      ...this.#status,
      health: failure ? "down" : "up",
      lastError: failure?.text ?? "",
      lastErrorCode: failure?.code ?? "",
      lastScrapeMs: startMs,
      durationMs,
      samples,
      refusedSamples: refused,
    };
  }
}

/** The first moment after `nowMs` at which the target is due. */
export function nextSlot(nowMs: number, intervalMs: number, offsetMs: number): number {
  const base = nowMs - (nowMs % intervalMs) + offsetMs;
  return base > nowMs ? base : base + intervalMs;
}
