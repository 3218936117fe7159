/**
 * The journal's samples as pages with their labels, for whoever sends them on. Names are declared once per group and epoch,
 * so following begins with the oldest frame that is kept, whatever was sent already; pages below `from` are passed over.
 * Native histograms and exemplars are passed over too.
 */
import type { LabelSet } from "@skopos/model";
import type { JournalFollower } from "../journal/journal-reader.ts";
import { metricFrameKind, MetricFrameDecoder, type Page } from "./metrics-frame.ts";

export interface FollowedFrame {
  /** Where the next frame begins. */
  readonly next: number;
  /** Samples of one time; undefined for frames that hold none. */
  readonly page:
    | {
        readonly timeMs: number;
        readonly labels: readonly LabelSet[];
        /** With their NaN payload. */
        readonly values: Float64Array;
      }
    | undefined;
  /** Samples whose names the journal no longer has. */
  readonly lostSamples: number;
}

/** Frames with `next` > `from`, then what comes, until the signal aborts. Throws "journal-truncated", "journal-corrupt". */
export async function* followPages(
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
    if (frame?.type === "page") yield { next, ...named(frame, names) };
    else yield { next, page: undefined, lostSamples: 0 };
  }
}

function named(
  { timeMs, refs, values, count }: Page,
  names: readonly (LabelSet | undefined)[],
): Omit<FollowedFrame, "next"> {
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
  return { page: { timeMs, labels, values: kept.subarray(0, labels.length) }, lostSamples };
}
