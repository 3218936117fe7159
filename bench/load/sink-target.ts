/** Targets of the reference load as a sink sees them: for benchmarks of the store alone. */
import { type GroupRef, LabelSet, type SampleSink } from "@skopos/model";
import { type MeshTarget, valueAt } from "./mesh.ts";

export interface SinkTarget {
  readonly group: GroupRef;
  readonly refs: Uint32Array;
  /** Of the step that `moveTo` was last told. */
  readonly values: Float64Array;
  moveTo(step: number): void;
}

export function openTarget(
  sink: Pick<SampleSink, "openGroup" | "series">,
  target: MeshTarget,
): SinkTarget {
  const group = sink.openGroup(target.instance);
  const refs = Uint32Array.from(
    target.series,
    (labels) => sink.series(group, LabelSet.fromMap(labels)) ?? 0,
  );
  const values = new Float64Array(refs.length);
  const moveTo = (step: number) => {
    for (let i = 0; i < values.length; i++) values[i] = valueAt(target, i, step);
  };
  return { group, refs, values, moveTo };
}
