/**
 * How many spans or lines a second one service may send. A bucket is refilled with time and may go into debt by one
 * request: a request that is larger than the bucket passes once it is full again, instead of never.
 */
import type { Clock } from "@skopos/model";

/** Services that are told apart; beyond it the one that was not heard of longest is forgotten. */
const servicesMax = 10_000;
/** What may come at once after a pause, in seconds of the rate. */
const burstSeconds = 10;

interface Bucket {
  level: number;
  atMs: number;
}

export class ServiceRates {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Whether the service may send now; takes nothing. */
  open(service: string): boolean {
    return this.#bucket(service).level > 0;
  }

  take(service: string, count: number): void {
    this.#bucket(service).level -= count;
  }

  #bucket(service: string): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const full = this.#perSecond * burstSeconds;
    const bucket = this.#buckets.get(service) ?? { level: full, atMs: nowMs };
    const gained = ((nowMs - bucket.atMs) / 1000) * this.#perSecond;
    bucket.level = Math.min(full, bucket.level + gained);
    bucket.atMs = nowMs;
    // Last in the map is heard of last.
    this.#buckets.delete(service);
    if (this.#buckets.size >= servicesMax) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    this.#buckets.set(service, bucket);
    return bucket;
  }
}
