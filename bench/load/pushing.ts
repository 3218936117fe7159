/** Pushes requests to a server as fast as it acknowledges them, and watches what that does to it. */
import type { Peer } from "../peers/process.ts";
import { pauseMs } from "../peers/figures.ts";

export interface Pushed {
  /** From the first request to the last acknowledgement. */
  readonly acknowledgedSeconds: number;
  /** Until everything is in ClickHouse too. */
  readonly searchableSeconds: number;
  /** The highest that was seen of the 99th percentile of a thread's event loop. */
  readonly loopDelayMsMax: number;
  /** Requests that were answered with 429 or 503 and sent again. */
  readonly heldBack: number;
}

const atOnce = 4;

export async function pushAll(
  peer: Peer,
  route: string,
  requests: Iterable<Uint8Array<ArrayBuffer>>,
): Promise<Pushed> {
  const queue = requests[Symbol.iterator]();
  let heldBack = 0;
  const sender = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      for (;;) {
        const response = await fetch(`${peer.url}${route}`, {
          method: "POST",
          headers: { "content-type": "application/x-protobuf" },
          body: next.value,
        });
        const answer = await response.text();
        if (response.ok) break;
        if (response.status !== 429 && response.status !== 503)
          throw new Error(`${route}: ${response.status} ${answer.slice(0, 300)}`);
        heldBack++;
        await pauseMs(200);
      }
    }
  };
  const began = performance.now();
  let pushing = true;
  const delays = watchLoops(peer, () => pushing);
  await Promise.all(Array.from({ length: atOnce }, sender));
  const acknowledgedSeconds = (performance.now() - began) / 1000;
  pushing = false;
  while ((await behindKiB(peer)) > 0) await pauseMs(100);
  return {
    acknowledgedSeconds,
    searchableSeconds: (performance.now() - began) / 1000,
    loopDelayMsMax: await delays,
    heldBack,
  };
}

async function watchLoops(peer: Peer, on: () => boolean): Promise<number> {
  let max = Number.NaN;
  while (on()) {
    await pauseMs(1000);
    const page = await (await fetch(`${peer.url}/metrics`)).text();
    for (const [, value] of page.matchAll(/^skopos_loop_delay_seconds\{[^}]*\} (\S+)$/gm))
      max = Math.max(Number.isNaN(max) ? 0 : max, Number(value) * 1000);
  }
  return max;
}

/** Of the carrier, as the status page says it; it is looked at every second or so. */
async function behindKiB(peer: Peer): Promise<number> {
  const body = await (await fetch(`${peer.url}/api/skopos/v1/status`)).text();
  const found = /(\d+) KiB behind/.exec(body)?.[1];
  return found === undefined ? Infinity : Number(found);
}

/** Milliseconds of each call, to the end of the body, which must satisfy `check`. */
export async function timeCalls(
  urls: readonly string[],
  check: (body: string) => boolean,
): Promise<number[]> {
  const took: number[] = [];
  for (const url of urls) {
    const began = performance.now();
    const response = await fetch(url);
    const body = await response.text();
    took.push(performance.now() - began);
    if (!response.ok || !check(body))
      throw new Error(`${url}: ${response.status} ${body.slice(0, 300)}`);
  }
  return took;
}
