/** Istio's request metrics as proxies would count them, from a description of the traffic; seeded noise. */
import { LabelSet } from "@skopos/model";
import type { MemoryReader, MemorySample } from "@skopos/promql/testing";

const bounds = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, Infinity];

export interface Traffic {
  /** Requests a second. */
  readonly rate: number;
  /** Share of requests that fail, 0 to 1. */
  readonly failing: number;
  /** Milliseconds; requests spread around it. */
  readonly latencyMs: number;
  readonly code?: string;
  readonly flags?: string;
}

export interface Edge {
  readonly service: string;
  readonly reporter: "source" | "destination";
  /** Undefined while the proxy cannot be scraped. */
  readonly at: (second: number) => Traffic | undefined;
}

/** Uniform numbers in [0, 1): mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes counters of `edge` from `startMs` for `seconds`, one sample each `stepMs`. */
export function writeTraffic(
  reader: MemoryReader,
  edge: Edge,
  span: { readonly startMs: number; readonly seconds: number; readonly stepMs: number },
  seed: number,
): void {
  const random = seededRandom(seed);
  const labels = {
    reporter: edge.reporter,
    destination_service_name: edge.service,
    destination_service_namespace: "shop",
  };
  const counters = new Map<string, { labels: Record<string, string>; value: number }>();
  const columns = new Map<string, MemorySample[]>();
  const count = (name: string, extra: Record<string, string>, by: number) => {
    const key = `${name} ${JSON.stringify(extra)}`;
    const counter = counters.get(key) ?? {
      labels: { __name__: name, ...labels, ...extra },
      value: 0,
    };
    counter.value += by;
    counters.set(key, counter);
  };
  for (let second = 0; second < span.seconds; second += span.stepMs / 1000) {
    const traffic = edge.at(second);
    if (!traffic) continue;
    const requests = Math.floor((traffic.rate * span.stepMs) / 1000 + random());
    for (let i = 0; i < requests; i++) {
      const fails = random() < traffic.failing;
      const status = fails ? (traffic.code ?? "500") : "200";
      const flags = fails ? (traffic.flags ?? "-") : "-";
      count("istio_requests_total", { response_code: status, response_flags: flags }, 1);
      // Most requests take about the given time, some half as long again.
      const ms = traffic.latencyMs * (0.6 + 0.5 * random() + (random() < 0.05 ? 1 : 0));
      for (const bound of bounds) {
        const le = bound === Infinity ? "+Inf" : String(bound);
        count("istio_request_duration_milliseconds_bucket", { le }, ms <= bound ? 1 : 0);
      }
    }
    for (const [key, { value }] of counters) {
      const column = columns.get(key) ?? [];
      column.push({ timeMs: span.startMs + second * 1000, value });
      columns.set(key, column);
    }
  }
  for (const [key, column] of columns)
    reader.add(LabelSet.fromMap(counters.get(key)?.labels ?? {}), column);
}
