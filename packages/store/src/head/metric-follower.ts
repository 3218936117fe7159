/**
 * The journal's metrics with their labels, for whoever sends them on. Names are declared once per group and epoch, so
 * following begins with the oldest frame that is kept, whatever was sent already; what lies below `from` is passed over.
 */
import type { Exemplar, LabelSet, NativeHistogram } from "@skopos/model";
import type { JournalFollower } from "../journal/journal-reader.ts";
import { type MetricFrame, metricFrameKind, MetricFrameDecoder } from "./metrics-frame.ts";

type FollowedItem =
  | {
      /** Samples of one time. */
      readonly type: "page";
      readonly timeMs: number;
      readonly labels: readonly LabelSet[];
      /** With their NaN payload. */
      readonly values: Float64Array;
    }
  | {
      readonly type: "histogram";
      readonly timeMs: number;
      readonly labels: LabelSet;
      readonly histogram: NativeHistogram;
    }
  | { readonly type: "exemplar"; readonly labels: LabelSet; readonly exemplar: Exemplar };

export interface FollowedFrame {
  /** Where the next frame begins. */
  readonly next: number;
  /** Undefined for frames that hold nothing to send. Label sets of one series are one object. */
  readonly item: FollowedItem | undefined;
  /** Samples whose names the journal no longer has. */
  readonly lostSamples: number;
}

/** Frames with `next` > `from`, then what comes, until the signal aborts. Throws "journal-truncated", "journal-corrupt". */
export async function* followMetrics(
  journal: Pick<JournalFollower, "follow">,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<FollowedFrame> {
  const decoder = new MetricFrameDecoder();
  /** By ref. Bounded by the writer's limit of series. */
  const names: (LabelSet | undefined)[] = [];
  for await (const { next, kind, payload } of journal.follow(0, signal)) {
    const frame = kind === metricFrameKind ? decoder.decode(payload) : undefined;
    if (frame?.type === "declare")
      for (const [i, ref] of frame.refs.entries()) names[ref] = frame.labels[i];
    if (next <= from) continue;
    yield { next, ...named(frame, names) };
  }
}

type Named = Omit<FollowedFrame, "next">;
const nothing: Named = { item: undefined, lostSamples: 0 };

function named(frame: MetricFrame | undefined, names: readonly (LabelSet | undefined)[]): Named {
  if (!frame || frame.type === "declare") return nothing;
  if (frame.type === "page") return namedPage(frame, names);
  const labels = names[frame.ref];
  if (frame.type === "exemplar")
    return labels ? { item: { ...frame, labels }, lostSamples: 0 } : nothing;
  return labels ? { item: { ...frame, labels }, lostSamples: 0 } : { ...nothing, lostSamples: 1 };
}

function namedPage(
  { timeMs, refs, values, count }: Extract<MetricFrame, { type: "page" }>,
  names: readonly (LabelSet | undefined)[],
): Named {
  const labels: LabelSet[] = [];
  const kept = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const own = names[refs[i] ?? -1];
    if (!own) continue;
    // Bytes, not the number: a staleness marker is a NaN with a payload.
    kept.set(values.subarray(i, i + 1), labels.length);
    labels.push(own);
  }
  const lostSamples = count - labels.length;
  const item = { type: "page", timeMs, labels, values: kept.subarray(0, labels.length) } as const;
  return { item, lostSamples };
}
