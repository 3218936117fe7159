/** Aggregations over vectors that hold native histograms among their samples. */
import { metricNameLabel, type NativeHistogram } from "@skopos/model";
import type { AggregateNode } from "../plan/plan.ts";
import { groupFor, membersOf } from "./aggregate.ts";
import type { Annotations } from "./annotations.ts";
import { absent, type Frame, histogram } from "./frame.ts";
import { accumulateHistograms } from "./histogram-math.ts";

/** Notes that an aggregation which only knows floats passed over histograms. */
export function noteIgnoredHistograms(
  { op, input: { span } }: AggregateNode,
  annotations: Annotations,
): void {
  annotations.info(span, `ignored histogram in ${op} aggregation`);
}

/** Puts the sums or averages of histograms into the result for floats; groups with both kinds get nothing. */
export function withHistogramSums(
  node: AggregateNode,
  input: Frame,
  floats: Frame,
  annotations: Annotations,
): Frame {
  const { groups } = groupFor(node, input);
  const { steps } = input;
  const { span } = node.input;
  const present = floats.present.slice();
  const histograms = new Map<number, NativeHistogram>();
  membersOf(groups).forEach((members, group) => {
    for (let t = 0; t < steps; t++) {
      const held = members.flatMap((s) => input.histograms?.get(s * steps + t) ?? []);
      if (held.length === 0) continue;
      const cell = group * steps + t;
      if (present[cell] !== absent) {
        present[cell] = absent;
        annotations.warn(span, "encountered a mix of histograms and floats for aggregation");
        continue;
      }
      const sum = accumulateHistograms(held, node.op === "avg");
      if (!sum) {
        const name = JSON.stringify(input.raw.value(members[0] ?? 0, metricNameLabel));
        annotations.warn(
          span,
          `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${name}`,
        );
        continue;
      }
      if (sum.conflictingResets)
        annotations.warn(span, "conflicting counter resets during histogram aggregation");
      if (sum.reconciled)
        annotations.info(span, "mismatched custom buckets were reconciled during aggregation");
      present[cell] = histogram;
      histograms.set(cell, sum.histogram);
    }
  });
  return floats.with({ present, histograms });
}
