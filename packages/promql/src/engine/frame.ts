/**
 * A vector over a grid of steps, as columns: the value of series s at step t is cell s × steps + t. `present` tells what the
 * cell holds, so that NaN stays an ordinary value. Frames are not written after they are handed on: equal subexpressions
 * share them.
 *
 * Operators that take the metric name away do it in one of two ways. Eagerly (`nameless`): the label sets without their
 * names are only made when somebody looks. Delayed (`dropName`): the name stays visible to later operators and goes at the
 * very end.
 */
import { LabelSet, metricNameLabel, type NativeHistogram } from "@skopos/model";
import { SeriesLabels } from "./series-labels.ts";

export const absent = 0;
export const float = 1;
export const histogram = 2;

export interface FrameParts {
  readonly labels: readonly LabelSet[] | SeriesLabels;
  readonly steps: number;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms?: ReadonlyMap<number, NativeHistogram> | undefined;
  readonly dropName?: Uint8Array | undefined;
  readonly nameless?: boolean;
}

export class Frame {
  readonly steps: number;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** By cell, where `present` says so. */
  readonly histograms: ReadonlyMap<number, NativeHistogram> | undefined;
  /** Per series; undefined when no name is to be dropped later. */
  readonly dropName: Uint8Array | undefined;
  /** With names still on; only for reading labels other than the name. */
  readonly raw: SeriesLabels;
  readonly nameless: boolean;
  #labels: readonly LabelSet[] | undefined;

  constructor(parts: FrameParts) {
    this.steps = parts.steps;
    this.values = parts.values;
    this.present = parts.present;
    this.histograms = parts.histograms?.size ? parts.histograms : undefined;
    this.dropName = parts.dropName;
    this.raw = parts.labels instanceof SeriesLabels ? parts.labels : SeriesLabels.of(parts.labels);
    this.nameless = parts.nameless ?? false;
  }

  get series(): number {
    return this.raw.length;
  }

  get rawLabels(): readonly LabelSet[] {
    return this.raw.sets;
  }

  get labels(): readonly LabelSet[] {
    this.#labels ??= this.nameless ? this.raw.sets.map(withoutName) : this.raw.sets;
    return this.#labels;
  }

  dropsName(series: number): boolean {
    return this.dropName?.[series] === 1;
  }

  /** The same series with other cells. */
  with(cells: Partial<Pick<FrameParts, "values" | "present" | "histograms">>): Frame {
    return new Frame({
      labels: this.raw,
      steps: this.steps,
      values: this.values,
      present: this.present,
      histograms: this.histograms,
      dropName: this.dropName,
      nameless: this.nameless,
      ...cells,
    });
  }
}

/** Labels that describe the metric itself: operators that make another metric drop them together with the name. */
const metadataLabels: ReadonlySet<string> = new Set([metricNameLabel, "__type__", "__unit__"]);

export function withoutName(labels: LabelSet): LabelSet {
  const { flat } = labels;
  for (let i = 0; i < flat.length; i += 2) {
    if (!metadataLabels.has(flat[i] ?? "")) continue;
    let end = i + 2;
    while (end < flat.length && metadataLabels.has(flat[end] ?? "")) end += 2;
    return LabelSet.fromSorted(
      i === 0 ? flat.slice(end) : [...flat.slice(0, i), ...flat.slice(end)],
    );
  }
  return labels;
}

/** The series of all the frames, in order. */
export function concatenate(frames: readonly Frame[], steps: number): Frame {
  const series = frames.reduce((sum, frame) => sum + frame.series, 0);
  const values = new Float64Array(series * steps);
  const present = new Uint8Array(series * steps);
  const histograms = new Map<number, NativeHistogram>();
  const dropName = frames.some((frame) => frame.dropName) ? new Uint8Array(series) : undefined;
  let at = 0;
  for (const frame of frames) {
    values.set(frame.values, at * steps);
    present.set(frame.present, at * steps);
    for (const [cell, held] of frame.histograms ?? []) histograms.set(at * steps + cell, held);
    if (frame.dropName) dropName?.set(frame.dropName, at);
    at += frame.series;
  }
  const labels = frames.flatMap((frame) => frame.labels);
  return new Frame({ labels, steps, values, present, histograms, dropName });
}

export function emptyFrame(steps: number): Frame {
  return new Frame({ labels: [], steps, values: new Float64Array(0), present: new Uint8Array(0) });
}
