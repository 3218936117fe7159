/** A `MetricReader` over series held in plain arrays, each with a time column of its own. For tests and scripts. */
import {
  CancelledError,
  compileMatcher,
  type LabelSelect,
  type LabelSet,
  LimitError,
  matchesAll,
  type MetricReader,
  type MetricSelect,
  type NativeHistogram,
  type SeriesBlock,
  staleNaN,
  writeNaN,
} from "@skopos/model";

import { detectReset } from "../engine/histogram-math.ts";

export interface MemorySample {
  readonly timeMs: number;
  readonly value: number | "stale" | NativeHistogram;
}

/** As upstream's storage: a counter histogram that follows another without a reset is marked so. */
function hinted(sample: MemorySample, previous: MemorySample | undefined): MemorySample {
  const { value } = sample;
  if (typeof value !== "object" || value.counterReset !== "unknown") return sample;
  if (typeof previous?.value !== "object" || previous.value.counterReset === "gauge") return sample;
  if (detectReset(value, previous.value)) return sample;
  return { ...sample, value: { ...value, counterReset: "not-reset" } };
}

export class MemoryReader implements MetricReader {
  readonly #series = new Map<string, { labels: LabelSet; samples: MemorySample[] }>();

  /** Adds samples in any order; a time that is already there keeps its first sample. */
  add(labels: LabelSet, samples: readonly MemorySample[]): void {
    let entry = this.#series.get(labels.key);
    if (!entry) {
      entry = { labels, samples: [] };
      this.#series.set(labels.key, entry);
    }
    const known = new Set(entry.samples.map((sample) => sample.timeMs));
    entry.samples.push(...samples.filter((sample) => !known.has(sample.timeMs)));
    entry.samples.sort((a, b) => a.timeMs - b.timeMs);
    entry.samples = entry.samples.map((sample, i, all) => hinted(sample, all[i - 1]));
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    if (request.cancelled?.()) throw new CancelledError();
    const chosen = this.#matching([request.matchers], request.startMs, request.endMs);
    const size = chosen.reduce((sum, { samples }) => sum + samples.length, 0);
    if (chosen.length > request.seriesMax)
      throw new LimitError(`more than ${request.seriesMax} series`);
    if (size > request.samplesMax) throw new LimitError(`more than ${request.samplesMax} samples`);
    const values = new Float64Array(size);
    const offsets = new Uint32Array(chosen.length + 1);
    const histograms = new Map<number, NativeHistogram>();
    let at = 0;
    chosen.forEach(({ samples }, s) => {
      for (const { value } of samples) {
        if (value === "stale") writeNaN(values, at, staleNaN);
        else if (typeof value === "number") values[at] = value;
        else histograms.set(at, value);
        at += 1;
      }
      offsets[s + 1] = at;
    });
    return {
      labels: chosen.map(({ labels }) => labels),
      times: chosen.map(({ samples }) => Float64Array.from(samples, ({ timeMs }) => timeMs)),
      timesOf: Uint32Array.from(chosen, (_, s) => s),
      values,
      offsets,
      ...(histograms.size > 0 && { histograms }),
      warnings: [],
    };
  }

  async series({ matcherSets, startMs, endMs, limit }: LabelSelect): Promise<LabelSet[]> {
    return this.#matching(matcherSets, startMs, endMs)
      .slice(0, limit)
      .map(({ labels }) => labels);
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const sets = await this.series({ ...request, limit: Infinity });
    const names = new Set(sets.flatMap((labels) => [...labels.entries()].map(([name]) => name)));
    return [...names].sort().slice(0, request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const sets = await this.series({ ...request, limit: Infinity });
    const values = new Set(sets.map((labels) => labels.get(name)).filter((value) => value !== ""));
    return [...values].sort().slice(0, request.limit);
  }

  #matching(matcherSets: LabelSelect["matcherSets"], startMs: number, endMs: number) {
    const compiled = matcherSets.map((set) => set.map(compileMatcher));
    const chosen = [];
    for (const { labels, samples } of this.#series.values()) {
      if (compiled.length > 0 && !compiled.some((set) => matchesAll(set, labels))) continue;
      const inside = samples.filter(({ timeMs }) => timeMs > startMs && timeMs <= endMs);
      if (inside.length > 0) chosen.push({ labels, samples: inside });
    }
    return chosen;
  }
}
