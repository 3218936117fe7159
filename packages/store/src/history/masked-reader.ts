/**
 * A reader that leaves out what was deleted. Samples become holes and series without any left drop out; names and values
 * are those of series that have a sample outside. A range that no deletion touches costs one comparison for each.
 */
import type { LabelSelect, LabelSet, MetricReader, MetricSelect, SeriesBlock } from "@skopos/model";
import { f64, isAbsent, wordsOf, writeAbsent } from "../head/cells.ts";
import type { SliceSource } from "./history-carrier.ts";
import type { Grave } from "./tombstones.ts";

/** What has tombstones now: `Tombstones`. */
export interface Graves {
  readonly graves: readonly Grave[];
}

/** Those that touch startMs < t ≤ endMs. */
function touching(
  { graves }: Graves,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): readonly Grave[] {
  return graves.filter((grave) => grave.endMs > startMs && grave.startMs <= endMs);
}

/** The block without what lies in the graves. Changes its values. */
export function maskBlock(block: SeriesBlock, graves: readonly Grave[]): SeriesBlock {
  const words = wordsOf(block.values);
  const kept: number[] = [];
  const histograms = block.histograms ? new Map(block.histograms) : undefined;
  for (const [i, labels] of block.labels.entries()) {
    const over = graves.filter((grave) => grave.holds(labels));
    if (over.length === 0) {
      kept.push(i);
      continue;
    }
    const times = block.times[block.timesOf[i] ?? 0] ?? new Float64Array();
    const from = block.offsets[i] ?? 0;
    let left = 0;
    for (let row = 0; row < times.length; row++) {
      if (isAbsent(words, from + row)) continue;
      const timeMs = f64(times, row);
      if (over.some((grave) => timeMs >= grave.startMs && timeMs <= grave.endMs)) {
        writeAbsent(words, from + row);
        histograms?.delete(from + row);
      } else left++;
    }
    if (left > 0) kept.push(i);
  }
  const masked = histograms ? { ...block, histograms } : block;
  return kept.length === block.labels.length ? masked : only(masked, kept);
}

/** The block with these of its series. */
function only(block: SeriesBlock, kept: readonly number[]): SeriesBlock {
  const offsets = new Uint32Array(kept.length + 1);
  let total = 0;
  for (const [i, from] of kept.entries()) {
    total += (block.offsets[from + 1] ?? 0) - (block.offsets[from] ?? 0);
    offsets[i + 1] = total;
  }
  const values = new Float64Array(total);
  const out = wordsOf(values);
  const words = wordsOf(block.values);
  const histograms: NonNullable<SeriesBlock["histograms"]> = new Map(
    block.histograms
      ? kept.flatMap((series, i) => {
          const start = block.offsets[series] ?? 0;
          const moved = (offsets[i] ?? 0) - start;
          const end = block.offsets[series + 1] ?? 0;
          return [...(block.histograms ?? [])].flatMap(([at, histogram]) =>
            at >= start && at < end ? [[at + moved, histogram] as const] : [],
          );
        })
      : [],
  );
  for (const [i, from] of kept.entries()) {
    const start = block.offsets[from] ?? 0;
    const end = block.offsets[from + 1] ?? 0;
    out.set(words.subarray(2 * start, 2 * end), 2 * (offsets[i] ?? 0));
  }
  // Their numbers are no longer those of the series.
  const { names: _, ...unnamed } = block;
  return {
    ...unnamed,
    labels: kept.flatMap((i) => block.labels[i] ?? []),
    timesOf: Uint32Array.from(kept, (i) => block.timesOf[i] ?? 0),
    values,
    offsets,
    ...(block.histograms ? { histograms } : {}),
  };
}

class MaskedReader implements MetricReader {
  readonly #reader: MetricReader;
  readonly #graves: Graves;

  constructor(reader: MetricReader, graves: Graves) {
    this.#reader = reader;
    this.#graves = graves;
  }

  async select(request: MetricSelect): Promise<SeriesBlock> {
    const block = await this.#reader.select(request);
    const graves = touching(this.#graves, request);
    return graves.length === 0 ? block : maskBlock(block, graves);
  }

  async series(request: LabelSelect): Promise<LabelSet[]> {
    const graves = touching(this.#graves, request);
    if (graves.length === 0) return this.#reader.series(request);
    const found = await this.#outside(request, graves);
    return found.slice(0, request.limit);
  }

  /** Series with a sample outside the graves: looked for in every stretch of time over which the graves are the same. */
  async #outside(request: LabelSelect, graves: readonly Grave[]): Promise<LabelSet[]> {
    const { startMs, endMs } = request;
    const inside = (ms: number) => ms > startMs && ms < endMs;
    const edges = graves.flatMap((grave) => [grave.startMs - 1, grave.endMs]).filter(inside);
    const borders = [...new Set([startMs, ...edges, endMs])].sort((a, b) => a - b);
    const found = new Map<string, LabelSet>();
    for (let i = 1; i < borders.length; i++) {
      const part = { startMs: borders[i - 1] ?? startMs, endMs: borders[i] ?? endMs };
      const over = touching({ graves }, part);
      for (const labels of await this.#reader.series({ ...request, ...part, limit: 2 ** 31 }))
        if (!over.some((grave) => grave.holds(labels))) found.set(labels.key, labels);
    }
    return [...found.values()];
  }

  async labelNames(request: LabelSelect): Promise<string[]> {
    const graves = touching(this.#graves, request);
    if (graves.length === 0) return this.#reader.labelNames(request);
    const names = new Set<string>();
    for (const labels of await this.#outside(request, graves))
      for (const [name] of labels.entries()) names.add(name);
    return [...names].sort().slice(0, request.limit);
  }

  async labelValues(name: string, request: LabelSelect): Promise<string[]> {
    const graves = touching(this.#graves, request);
    if (graves.length === 0) return this.#reader.labelValues(name, request);
    const values = new Set<string>();
    for (const labels of await this.#outside(request, graves)) values.add(labels.get(name));
    values.delete("");
    return [...values].sort().slice(0, request.limit);
  }
}

export function createMaskedReader(reader: MetricReader, graves: Graves): MetricReader {
  return new MaskedReader(reader, graves);
}

/** As `createMaskedReader`, for what is carried. */
export function maskedSource(source: SliceSource, graves: Graves): SliceSource {
  return {
    async *scan(startMs, endMs, seriesPerPiece) {
      for await (const block of source.scan(startMs, endMs, seriesPerPiece)) {
        const over = touching(graves, { startMs, endMs });
        const masked = over.length === 0 ? block : maskBlock(block, over);
        if (masked.labels.length > 0) yield masked;
      }
    },
  };
}
