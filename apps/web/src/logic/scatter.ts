/** Traces as points: time across, duration up on a logarithmic scale. */
import type { TraceSummaryJson } from "@skopos/api";
import { nsToMs } from "./times.ts";

interface ScatterPoint {
  readonly trace: TraceSummaryJson;
  readonly atMs: number;
  /** 0 to 1, from the left and from the bottom. */
  readonly x: number;
  readonly y: number;
}

export interface Scatter {
  readonly points: readonly ScatterPoint[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Bounds of the duration axis: powers of ten. */
  readonly lowMs: number;
  readonly highMs: number;
  /** Durations to rule, ascending. */
  readonly ticks: readonly number[];
}

export function scatterOf(traces: readonly TraceSummaryJson[]): Scatter | null {
  if (traces.length === 0) return null;
  const times = traces.map(({ startNs }) => nsToMs(startNs));
  const durations = traces.map(({ durationMs }) => Math.max(durationMs, 0.001));
  const fromMs = times.reduce((a, b) => Math.min(a, b));
  const toMs = Math.max(
    times.reduce((a, b) => Math.max(a, b)),
    fromMs + 1000,
  );
  const low = Math.floor(Math.log10(durations.reduce((a, b) => Math.min(a, b))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(durations.reduce((a, b) => Math.max(a, b)))));
  const points = traces.map((trace, i): ScatterPoint => {
    const atMs = times[i] ?? fromMs;
    return {
      trace,
      atMs,
      x: (atMs - fromMs) / (toMs - fromMs),
      y: (Math.log10(durations[i] ?? 1) - low) / (high - low),
    };
  });
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { points, fromMs, toMs, lowMs: 10 ** low, highMs: 10 ** high, ticks };
}

/** A rectangle of the plot in its own terms. */
export interface Selection {
  readonly fromMs: number;
  readonly toMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** From two corners given as shares of the plot. */
export function selectionOf(
  { fromMs, toMs, lowMs, highMs }: Scatter,
  a: { readonly x: number; readonly y: number },
  b: { readonly x: number; readonly y: number },
): Selection {
  const at = (share: number) => fromMs + share * (toMs - fromMs);
  const ms = (share: number) => lowMs * (highMs / lowMs) ** share;
  return {
    fromMs: Math.floor(at(Math.min(a.x, b.x))),
    toMs: Math.ceil(at(Math.max(a.x, b.x))),
    minMs: ms(Math.min(a.y, b.y)),
    maxMs: ms(Math.max(a.y, b.y)),
  };
}

/** As it stands in the address: "from-to,min-max". */
export function writeSelection({ fromMs, toMs, minMs, maxMs }: Selection): string {
  return `${fromMs}-${toMs},${minMs.toPrecision(4)}-${maxMs.toPrecision(4)}`;
}

export function readSelection(text: string | null): Selection | null {
  const parts = /^(\d+)-(\d+),([\d.e+]+)-([\d.e+]+)$/.exec(text ?? "");
  if (!parts) return null;
  const [fromMs = 0, toMs = 0, minMs = 0, maxMs = 0] = parts.slice(1).map(Number);
  return Number.isFinite(minMs) && Number.isFinite(maxMs) ? { fromMs, toMs, minMs, maxMs } : null;
}

export function isSelected(trace: TraceSummaryJson, selection: Selection | null): boolean {
  if (!selection) return true;
  const at = nsToMs(trace.startNs);
  const { fromMs, toMs, minMs, maxMs } = selection;
  const { durationMs } = trace;
  return at >= fromMs && at <= toMs && durationMs >= minMs * 0.999 && durationMs <= maxMs * 1.001;
}

/** The duration band as TraceQL, to compare what lies in it with the rest. */
export function bandQuery({ minMs, maxMs }: Pick<Selection, "minMs" | "maxMs">): string {
  const us = (ms: number) => `${Math.max(0, Math.round(ms * 1000))}us`;
  return `{ traceDuration >= ${us(minMs)} && traceDuration <= ${us(maxMs)} }`;
}
