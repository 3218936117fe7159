/**
 * A target's page of metrics between scrapes. Pages of a target list the same series in the same order, so the layout keeps
 * the bytes of the last page's series and the next parse compares instead of parsing. A series keeps its slot for the life
 * of the layout; callers keep their own columns by slot.
 *
 * Limits: `slotsMax` series ever seen (then `full` is true and the caller starts a fresh layout), `metadataMax` families,
 * `exemplarsMax` exemplars per page.
 */
import type { LabelSet } from "@skopos/model";

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
  readonly slot: number;
  readonly labels: LabelSet;
  readonly value: number;
  /** Unix milliseconds; undefined when the page does not say. */
  readonly timeMs: number | undefined;
}

const slotsMax = 2_000_000;
export const metadataMax = 20_000;
export const helpCharsMax = 1024;
export const exemplarsMax = 1000;

/** What one page said. Valid until the next parse with the same layout. */
export interface Page {
  /** Sample i: slot `slots[i]`, value `values[i]`, and `timesMs[i]` when `hasTimes` (NaN: none given). i < count. */
  readonly slots: Uint32Array;
  readonly values: Float64Array;
  readonly timesMs: Float64Array;
  readonly count: number;
  readonly hasTimes: boolean;
  /** The same series in the same order as on the page before. */
  readonly sameLayout: boolean;
  readonly exemplars: readonly Exemplar[];
}

export class PageLayout {
  /** Labels by slot. */
  readonly labels: LabelSet[] = [];
  /** By family name, as the last pages declared them. */
  readonly metadata = new Map<string, Metadata>();
  readonly #slotOf = new Map<string, number>();
  /** The last page's lines: bytes of series n are `text[starts[n], starts[n + 1])`, its slot `order[n]`. */
  text: Uint8Array = new Uint8Array(0);
  starts: Uint32Array = new Uint32Array(1);
  order: Uint32Array = new Uint32Array(0);
  orderCount = 0;
  /** Buffers of the page under construction, reused from parse to parse. */
  slots: Uint32Array = new Uint32Array(256);
  values: Float64Array = new Float64Array(256);
  timesMs: Float64Array = new Float64Array(256);
  /** Where each sample's series text lies in the page being read. */
  begins: Uint32Array = new Uint32Array(256);
  ends: Uint32Array = new Uint32Array(256);

  /** The slot of a series text seen before. */
  find(seriesText: string): number | undefined {
    return this.#slotOf.get(seriesText);
  }

  add(seriesText: string, labels: LabelSet): number {
    const slot = this.labels.length;
    this.labels.push(labels);
    this.#slotOf.set(seriesText, slot);
    return slot;
  }

  /** Time for a fresh layout: more series passed through than a layout may hold. */
  get full(): boolean {
    return this.labels.length >= slotsMax;
  }

  /** Makes room for one more sample. */
  grow(): void {
    const size = this.slots.length * 2;
    this.slots = grown(this.slots, new Uint32Array(size));
    this.values = grown(this.values, new Float64Array(size));
    this.timesMs = grown(this.timesMs, new Float64Array(size));
    this.begins = grown(this.begins, new Uint32Array(size));
    this.ends = grown(this.ends, new Uint32Array(size));
  }

  /** Remembers the page just read from `bytes` as the one to compare the next with. */
  remember(bytes: Uint8Array, count: number): void {
    const { begins, ends } = this;
    let size = 0;
    for (let i = 0; i < count; i++) size += (ends[i] ?? 0) - (begins[i] ?? 0);
    const text = new Uint8Array(size);
    const starts = new Uint32Array(count + 1);
    let at = 0;
    for (let i = 0; i < count; i++) {
      text.set(bytes.subarray(begins[i], ends[i]), at);
      at += (ends[i] ?? 0) - (begins[i] ?? 0);
      starts[i + 1] = at;
    }
    this.text = text;
    this.starts = starts;
    this.order = this.slots.slice(0, count);
    this.orderCount = count;
  }
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
