/**
 * A target's page of metrics between scrapes. Pages of a target list the same series in the same order, so the layout keeps
 * the last page's series (`page-text.ts`) and the next parse compares instead of parsing. With each series it keeps a *mark*,
 * a number that the caller gives it; labels are made once, when a series appears, and are the caller's to keep.
 *
 * Limits: a layout holds what the last page had; `metadataMax` families, `exemplarsMax` exemplars per page.
 */
import type { LabelSet } from "@skopos/model";
import { PageText } from "./page-text.ts";

export type MetricType =
  | "counter"
  | "gauge"
  | "histogram"
  | "gaugehistogram"
  | "summary"
  | "info"
  | "stateset"
  | "unknown";

export interface Metadata {
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

export interface Exemplar {
  /** Of its sample. */
  readonly index: number;
  readonly labels: LabelSet;
  readonly value: number;
  /** Unix milliseconds; undefined when the page does not say. */
  readonly timeMs: number | undefined;
}

/** A series without a mark. */
export interface FreshSeries {
  readonly index: number;
  readonly labels: LabelSet;
}

export const metadataMax = 20_000;
export const helpCharsMax = 1024;
export const exemplarsMax = 1000;
export const unmarked = 0xffff_ffff;

/** What one page said. Valid until the next parse, of any layout. */
export interface Page {
  /** Sample i has value `values[i]`, and `timesMs[i]` when `hasTimes` (NaN: none given). i < count. */
  readonly values: Float64Array;
  readonly timesMs: Float64Array;
  readonly count: number;
  readonly hasTimes: boolean;
  /** By sample: its series' mark, which the layout keeps. Whoever gives a fresh series its mark writes it here. */
  readonly marks: Uint32Array;
  /** Series that appear, or that got no mark when they did. */
  readonly fresh: readonly FreshSeries[];
  /** The same series in the same order as on the page before. */
  readonly sameLayout: boolean;
  readonly exemplars: readonly Exemplar[];
}

export class PageLayout {
  /** By family name, as the last pages declared them. */
  readonly metadata = new Map<string, Metadata>();
  /** The last page's series and their marks. */
  text = PageText.empty;
  marks = new Uint32Array(0);
  /** Fingerprints of its comments in their order, two words each: what was read need not be read again. */
  comments = new Int32Array(0);
  /** The format of the last page: the rules of one do not vouch for the other. */
  openMetrics = false;
}

/** Columns of the page being read, by sample; one page is read at a time. */
export class PageColumns {
  values = new Float64Array(1024);
  timesMs = new Float64Array(1024);
  marks = new Uint32Array(1024);
  /** Where its series text lies. */
  begins = new Uint32Array(1024);
  ends = new Uint32Array(1024);

  get size(): number {
    return this.values.length;
  }

  grow(): void {
    const size = this.values.length * 2;
    this.values = grown(this.values, new Float64Array(size));
    this.timesMs = grown(this.timesMs, new Float64Array(size));
    this.marks = grown(this.marks, new Uint32Array(size));
    this.begins = grown(this.begins, new Uint32Array(size));
    this.ends = grown(this.ends, new Uint32Array(size));
  }
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
