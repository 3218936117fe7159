/** The head as seen from another thread: an index of its own, the samples in place. */
import type {
  ExemplarReader,
  ExemplarSeries,
  LabelSelect,
  LabelSet,
  MetricReader,
  MetricSelect,
  SeriesBlock,
} from "@skopos/model";
import { SkoposError } from "@skopos/model";
import { cardinalityOf, type HeadCardinality } from "./cardinality.ts";
import { FoldedDefinitions } from "./definitions.ts";
import { HeadReader } from "./head-reader.ts";
import { controlWord, formatVersion, type HeadShare } from "./memory.ts";

/** Needs nothing but the share: what is new is found in shared memory when a question comes. */
export class HeadView implements MetricReader, ExemplarReader {
  readonly #folded: FoldedDefinitions;
  readonly #reader: HeadReader;

  /** Throws `bad-share` when the share was made by another version of this code. */
  constructor(share: HeadShare) {
    if (new Int32Array(share.control)[controlWord.format] !== formatVersion)
      throw new SkoposError("bad-share", "the head was shared by another version of the program");
    const folded = new FoldedDefinitions(share);
    this.#folded = folded;
    this.#reader = new HeadReader(share, {
      catalog: () => folded.catalog(),
      covers: (definedAt) => folded.covers(definedAt),
      behind: () => folded.behind,
    });
  }

  /**
   * Makes what is new known now, so that the next question need not wait for it. Cheap when nothing is new. Throws
   * `unavailable`.
   */
  catchUp(): void {
    if (this.#folded.behind) this.#folded.catalog();
  }

  select(request: MetricSelect): Promise<SeriesBlock> {
    return this.#reader.select(request);
  }

  /** See `HeadReader.scan`. */
  scan(startMs: number, endMs: number, seriesPerPiece: number): AsyncGenerator<SeriesBlock> {
    return this.#reader.scan(startMs, endMs, seriesPerPiece);
  }

  series(request: LabelSelect): Promise<LabelSet[]> {
    return this.#reader.series(request);
  }

  labelNames(request: LabelSelect): Promise<string[]> {
    return this.#reader.labelNames(request);
  }

  labelValues(name: string, request: LabelSelect): Promise<string[]> {
    return this.#reader.labelValues(name, request);
  }

  exemplars(request: LabelSelect): Promise<ExemplarSeries[]> {
    return this.#reader.exemplars(request);
  }

  /** The `limit` largest of each kind, of every series the head has a name for. */
  cardinality(limit: number): HeadCardinality {
    return cardinalityOf(this.#folded.catalog().index, limit);
  }
}
