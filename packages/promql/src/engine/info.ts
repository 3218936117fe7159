/**
 * info(): adds the data labels of info series (target_info and the like) to the series with the same `job` and `instance`.
 * Source: Prometheus documentation, "Query functions", info().
 */
import {
  compileMatcher,
  LabelSet,
  type Matcher,
  metricNameLabel,
  type NativeHistogram,
  SkoposError,
} from "@skopos/model";
import { absent, Frame } from "./frame.ts";

const identifyingLabels = ["instance", "job"];

/** Info series of one identity, by metric name; rows of the info frame. */
type Candidates = Map<string, number[]>;

interface Row {
  readonly labels: LabelSet;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: Map<number, NativeHistogram>;
  readonly dropsName: boolean;
}

/** `info` holds the sample times of the info series; `matchers` are those that selected them. */
export function addInfoLabels(base: Frame, info: Frame, matchers: readonly Matcher[]): Frame {
  const nameTests = matchers.filter(({ name }) => name === metricNameLabel).map(compileMatcher);
  const dataTests = matchers.filter(({ name }) => name !== metricNameLabel).map(compileMatcher);
  const wantsMatch = dataTests.some((matcher) => !matcher.test(""));
  const wanted = dataTests.length > 0 ? new Set(dataTests.map(({ name }) => name)) : undefined;
  const byIdentity = indexInfo(info);
  const rows: Row[] = [];
  for (let s = 0; s < base.series; s++) {
    const labels = base.labels[s] ?? LabelSet.empty;
    const own = base.raw.value(s, metricNameLabel);
    const isInfo = nameTests.every((matcher) => matcher.test(own));
    const candidates = isInfo ? undefined : byIdentity.get(identityOf(labels));
    const rowOf = new Map<string, Row>();
    for (let t = 0; t < base.steps; t++) {
      const cell = s * base.steps + t;
      const what = base.present[cell] ?? absent;
      if (what === absent) continue;
      const chosen = candidates ? latest(info, candidates, t) : [];
      if (chosen.length === 0 && wantsMatch && !isInfo) continue;
      const key = chosen.join();
      let row = rowOf.get(key);
      if (!row) {
        row = newRow(enrich(labels, chosen, info, wanted), base.steps, base.dropsName(s));
        rowOf.set(key, row);
      }
      row.present[t] = what;
      row.values[t] = base.values[cell] ?? NaN;
      const held = base.histograms?.get(cell);
      if (held) row.histograms.set(t, held);
    }
    rows.push(...rowOf.values());
  }
  return frameOf(rows, base);
}

function newRow(labels: LabelSet, steps: number, dropsName: boolean): Row {
  const values = new Float64Array(steps);
  return { labels, values, present: new Uint8Array(steps), histograms: new Map(), dropsName };
}

function identityOf(labels: LabelSet): string {
  return identifyingLabels.map((name) => labels.get(name)).join("\u0000");
}

function indexInfo(info: Frame): Map<string, Candidates> {
  const byIdentity = new Map<string, Candidates>();
  info.labels.forEach((labels, s) => {
    const identity = identityOf(labels);
    if (identity === "\u0000") return;
    const candidates = byIdentity.get(identity) ?? new Map<string, number[]>();
    byIdentity.set(identity, candidates);
    const name = labels.get(metricNameLabel);
    candidates.set(name, [...(candidates.get(name) ?? []), s]);
  });
  return byIdentity;
}

/** Per info metric the series with the newest sample at the step. */
function latest(info: Frame, candidates: Candidates, t: number): number[] {
  const chosen: number[] = [];
  for (const series of candidates.values()) {
    let newest = -1;
    let newestTime = -Infinity;
    for (const s of series) {
      const cell = s * info.steps + t;
      const time = info.values[cell] ?? NaN;
      if (info.present[cell] === absent || time <= newestTime) continue;
      newest = s;
      newestTime = time;
    }
    if (newest >= 0) chosen.push(newest);
  }
  return chosen;
}

/** Labels of the base series stand; two info metrics must not disagree. */
function enrich(
  base: LabelSet,
  chosen: readonly number[],
  info: Frame,
  wanted: ReadonlySet<string> | undefined,
): LabelSet {
  const added = new Map<string, string>();
  for (const s of chosen) {
    for (const [name, value] of info.labels[s]?.entries() ?? []) {
      if (name === metricNameLabel || identifyingLabels.includes(name)) continue;
      if (base.has(name) || wanted?.has(name) === false) continue;
      if ((added.get(name) ?? value) !== value)
        throw new SkoposError("execution", `conflicting label: ${name}`);
      added.set(name, value);
    }
  }
  return added.size === 0 ? base : LabelSet.fromPairs([...base.entries(), ...added]);
}

function frameOf(rows: readonly Row[], { steps, dropName: dropped }: Frame): Frame {
  const values = new Float64Array(rows.length * steps);
  const present = new Uint8Array(rows.length * steps);
  const histograms = new Map<number, NativeHistogram>();
  rows.forEach((row, r) => {
    values.set(row.values, r * steps);
    present.set(row.present, r * steps);
    for (const [t, held] of row.histograms) histograms.set(r * steps + t, held);
  });
  const dropName = dropped && Uint8Array.from(rows, (row) => (row.dropsName ? 1 : 0));
  const labels = rows.map((row) => row.labels);
  return new Frame({ labels, steps, values, present, histograms, dropName });
}
