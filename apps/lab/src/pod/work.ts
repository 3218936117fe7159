/** Work that really costs: waiting on a timer with a log-normal spread, and burning CPU in a loop. */
import { setTimeout as wait } from "node:timers/promises";

/** A small fast generator (mulberry32): numbers in [0, 1) that repeat for a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A seed from text, so that each pod has its own. FNV-1a. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Log-normal with the given mean; sigma 0.35 puts p99 at about twice the mean. */
function logNormal(mean: number, random: () => number): number {
  const sigma = 0.35;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return mean * Math.exp(sigma * normal - (sigma * sigma) / 2);
}

export class Worker {
  /** CPU burnt on purpose so far. */
  cpuSeconds = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  async wait(meanMs: number): Promise<void> {
    if (meanMs > 0) await wait(logNormal(meanMs, this.#random));
  }

  burn(cpuMs: number): void {
    if (cpuMs <= 0) return;
    const startMs = performance.now();
    const endMs = startMs + cpuMs;
    let sum = 0;
    while (performance.now() < endMs) for (let i = 0; i < 200; i++) sum += Math.sqrt(i + sum);
    this.cpuSeconds += (performance.now() - startMs) / 1000;
  }
}
