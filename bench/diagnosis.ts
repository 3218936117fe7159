/**
 * Scores the rankers of the diagnosis on recorded fault cases: `npm run bench -- diagnosis --dir <cases>`. A folder per
 * family, a gzipped JSON file per case, `truth.json` beside them, read by this scorer alone. A case that crashes or
 * answers nothing is a miss; equal scores count by their expected rank.
 */
import { caseBaseline, diagnoseCase, faultCase, type RankedCause } from "@skopos/incident";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

interface Truth {
  readonly nodes: readonly string[];
  readonly cause: string;
}

interface Outcome {
  readonly cause: string;
  /** Chance that a true node is among the first k, for k = 1…5. */
  readonly hits: readonly number[];
  readonly tookMs: number;
}

const readZipped = (file: string): unknown => JSON.parse(gunzipSync(readFileSync(file)).toString());

/** The chance that one of the true nodes is among the first `k` when equal scores are shuffled. */
function hitChance(ranking: readonly RankedCause[], truth: readonly string[], k: number): number {
  let before = 0;
  for (let i = 0; i < ranking.length;) {
    const score = ranking[i]?.score;
    let end = i;
    while (end < ranking.length && ranking[end]?.score === score) end++;
    const group = ranking.slice(i, end);
    const right = group.filter(({ node }) => truth.includes(node)).length;
    const places = Math.min(group.length, k - before);
    if (places <= 0) return 0;
    if (right > 0) {
      // 1 − the chance that all places of the group go to wrong nodes.
      let wrong = 1;
      for (let j = 0; j < places; j++)
        wrong *= Math.max(0, group.length - right - j) / (group.length - j);
      return 1 - wrong;
    }
    before += group.length;
    i = end;
  }
  return 0;
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** 95 % bootstrap interval of the mean, from a fixed seed. */
function interval(values: readonly number[]): [number, number] {
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 4_294_967_296;
  };
  const means: number[] = [];
  for (let i = 0; i < 2000; i++)
    means.push(mean(values.map(() => values[Math.floor(random() * values.length)] ?? 0)));
  means.sort((a, b) => a - b);
  return [round(means[50] ?? 0), round(means[1949] ?? 0)];
}

const round = (value: number) => Math.round(value * 1000) / 1000;

function runFamily(dir: string): Outcome[] {
  const truths = JSON.parse(readFileSync(path.join(dir, "truth.json"), "utf8")) as Record<
    string,
    Truth
  >;
  const baselineFile = path.join(dir, "baseline.json.gz");
  const baseline = existsSync(baselineFile)
    ? caseBaseline.parse(readZipped(baselineFile))
    : undefined;
  const outcomes: Outcome[] = [];
  for (const file of readdirSync(dir).sort()) {
    if (!file.endsWith(".json.gz") || file === "baseline.json.gz") continue;
    const found = faultCase.parse(readZipped(path.join(dir, file)));
    const truth = truths[found.id];
    if (!truth) throw new Error(`${found.id} has no truth`);
    const startedMs = performance.now();
    let ranking: readonly RankedCause[] = [];
    try {
      ranking = diagnoseCase(found, baseline);
    } catch (error) {
      console.error(`${found.id}: ${String(error)}`);
    }
    const tookMs = performance.now() - startedMs;
    const hits = [1, 2, 3, 4, 5].map((k) => hitChance(ranking, truth.nodes, k));
    outcomes.push({ cause: truth.cause, hits, tookMs });
  }
  return outcomes;
}

function figuresOf(outcomes: readonly Outcome[]) {
  const at = (k: number) => outcomes.map(({ hits }) => hits[k - 1] ?? 0);
  const causes = [...new Set(outcomes.map(({ cause }) => cause))].sort();
  const perCause = Object.fromEntries(
    causes.map((cause) => [
      cause,
      round(mean(outcomes.filter((item) => item.cause === cause).map(({ hits }) => hits[0] ?? 0))),
    ]),
  );
  const times = outcomes.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return {
    cases: outcomes.length,
    ac1: round(mean(at(1))),
    ac1Interval: interval(at(1)),
    ac3: round(mean(at(3))),
    ac3Interval: interval(at(3)),
    avg5: round(mean(outcomes.map(({ hits }) => mean(hits)))),
    macroAc1: round(mean(Object.values(perCause))),
    ac1ByCause: perCause,
    p95Ms: round(times[Math.floor(times.length * 0.95)] ?? 0),
  };
}

export async function run({ dir }: { dir: string | undefined }) {
  if (dir === undefined) throw new Error("name the folder of the cases: --dir <cases>");
  await Promise.resolve();
  const families = readdirSync(dir, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && existsSync(path.join(dir, entry.name, "truth.json")),
  );
  if (families.length === 0) throw new Error(`${dir} holds no folder with a truth.json`);
  return Object.fromEntries(
    families.map(({ name }) => [name, figuresOf(runFamily(path.join(dir, name)))]),
  );
}
