/**
 * Runs unit tests of rules against the real engine and the real rule evaluation, with promtool's verdicts: groups are evaluated
 * one after the other at every `evaluation_interval` from the start to the last time a test asks for, whatever intervals of
 * their own they have; an alert test sees the evaluation at or before its time; only firing alerts are compared.
 */
import {
  type Clock,
  type LabelMap,
  LabelSet,
  messageOf,
  type NativeHistogram,
  SkoposError,
  type VectorSample,
} from "@skopos/model";
import { createMetricEngine } from "@skopos/promql";
import { MemoryReader, type NotedValue, parseMetric, parseSeries } from "@skopos/promql/testing";
import type { AlertSnapshot } from "../rules/alert.ts";
import { parseRuleFile, type RuleGroup } from "../rules/file.ts";
import { GroupRunner } from "../rules/group-runner.ts";
import { MemorySink } from "./memory-sink.ts";
import type { RuleTestFile, TestGroup } from "./test-file.ts";

export interface RuleTestOutcome {
  /** The group's name, or its number in the file. */
  readonly name: string;
  /** Empty: passed. */
  readonly failures: readonly string[];
}

export interface RuleText {
  readonly file: string;
  readonly text: string;
}

const evaluationsMax = 1_000_000;

/** `rules` are the files that `rule_files` names. Throws "bad-rule-file" when one of them cannot be used. */
export async function runRuleTests(
  tests: RuleTestFile,
  rules: readonly RuleText[],
): Promise<RuleTestOutcome[]> {
  const groups = rules.flatMap(({ file, text }) => parseRuleFile(text, file));
  const order = tests.group_eval_order ?? [];
  const duplicates = order.filter((name, i) => order.indexOf(name) !== i);
  if (duplicates.length > 0)
    throw new SkoposError("bad-rule-file", `group_eval_order names ${duplicates.join(", ")} twice`);
  const ordered = inOrder(groups, order);
  const outcomes: RuleTestOutcome[] = [];
  for (const [index, group] of (tests.tests ?? []).entries()) {
    const name = group.name ?? `test ${index + 1}`;
    let failures: string[];
    try {
      failures = await new TestRun(group, tests, ordered).run();
    } catch (error) {
      if (!(error instanceof SkoposError)) throw error;
      failures = [messageOf(error)];
    }
    outcomes.push({ name, failures });
  }
  return outcomes;
}

/** Groups that the order names come by it; promtool gives all others rank 0, and so do we. */
function inOrder(groups: readonly RuleGroup[], order: readonly string[]): RuleGroup[] {
  const rank = (group: RuleGroup) => Math.max(0, order.indexOf(group.name));
  return [...groups].sort((a, b) => rank(a) - rank(b));
}

/** Time stands still but for the tests' own steps. */
class StepClock implements Clock {
  timeMs = 0;
  nowMs(): number {
    return this.timeMs;
  }
  monotonicMs(): number {
    return this.timeMs;
  }
  after(): () => void {
    throw new SkoposError("unsupported", "nothing waits in a rule test");
  }
}

class TestRun {
  readonly #test: TestGroup;
  readonly #intervalMs: number;
  readonly #startMs: number;
  readonly #fuzzy: boolean;
  readonly #clock = new StepClock();
  readonly #reader = new MemoryReader();
  readonly #engine = createMetricEngine({ reader: this.#reader, clock: this.#clock });
  readonly #runners: readonly GroupRunner[];
  readonly #failures: string[] = [];

  constructor(test: TestGroup, file: RuleTestFile, groups: readonly RuleGroup[]) {
    this.#test = test;
    this.#intervalMs = file.evaluation_interval ?? 60_000;
    if (this.#intervalMs === 0)
      throw new SkoposError("bad-rule-file", "evaluation_interval must not be 0");
    this.#startMs = test.start_timestamp ?? 0;
    this.#fuzzy = file.fuzzy_compare ?? false;
    const deps = {
      engine: this.#engine,
      sink: new MemorySink(this.#reader),
      clock: this.#clock,
      externalUrl: test.external_url ?? "",
      externalLabels: test.external_labels ?? {},
      defaultIntervalMs: this.#intervalMs,
      queryTimeoutMs: 120_000,
      resendDelayMs: 0,
      onTransition: () => {},
      notify: () => {},
      startsFresh: true,
    };
    this.#runners = groups.map((group) => new GroupRunner(group, deps));
  }

  async run(): Promise<string[]> {
    this.#load();
    const alertTests = this.#test.alert_rule_test ?? [];
    const exprTests = this.#test.promql_expr_test ?? [];
    const times = [...alertTests, ...exprTests].map(({ eval_time }) => eval_time);
    const lastMs = Math.max(0, ...times);
    if (lastMs / this.#intervalMs > evaluationsMax)
      throw new SkoposError("limit", `more than ${evaluationsMax} evaluations: test shorter times`);
    for (let atMs = 0; atMs <= lastMs; atMs += this.#intervalMs) {
      if (!(await this.#evaluate(atMs))) return this.#failures;
      for (const test of alertTests)
        if (test.eval_time >= atMs && test.eval_time < atMs + this.#intervalMs)
          this.#checkAlerts(test);
    }
    for (const test of exprTests) await this.#checkExpression(test);
    return this.#failures;
  }

  #load(): void {
    const stepMs = this.#test.interval ?? this.#intervalMs;
    for (const { series, values } of this.#test.input_series ?? []) {
      const noted = parseSeries(`${series} ${values}`);
      const samples = noted.values.flatMap((value, i) => {
        const timeMs = this.#startMs + i * stepMs;
        const held = heldValue(value);
        return held === undefined ? [] : [{ timeMs, value: held }];
      });
      this.#reader.add(noted.labels, samples);
    }
  }

  /** False when a rule failed: promtool stops there. */
  async #evaluate(atMs: number): Promise<boolean> {
    this.#clock.timeMs = this.#startMs + atMs;
    let well = true;
    for (const runner of this.#runners) {
      await runner.evaluate(this.#clock.timeMs);
      for (const { name, lastError } of runner.status().rules) {
        if (lastError === "") continue;
        this.#failures.push(`rule: ${name}, time: ${atMs / 1000}s, err: ${lastError}`);
        well = false;
      }
    }
    return well;
  }

  #firing(alertname: string): AlertSnapshot[] {
    return this.#runners
      .flatMap((runner) => runner.status().rules)
      .filter((rule) => rule.name === alertname && rule.kind === "alert")
      .flatMap((rule) => (rule.kind === "alert" ? rule.alerts : []))
      .filter(({ state }) => state === "firing");
  }

  #checkAlerts(test: NonNullable<TestGroup["alert_rule_test"]>[number]): void {
    const wanted = (test.exp_alerts ?? []).map(({ exp_labels, exp_annotations }) =>
      alertText({ ...exp_labels, alertname: test.alertname }, exp_annotations ?? {}),
    );
    const got = this.#firing(test.alertname).map((alert) =>
      alertText(alert.labels, alert.annotations),
    );
    if (sameTexts(wanted, got)) return;
    this.#failures.push(
      `alertname: ${test.alertname}, time: ${test.eval_time / 1000}s,\n  exp: ${listText(wanted)}\n  got: ${listText(got)}`,
    );
  }

  async #checkExpression(test: NonNullable<TestGroup["promql_expr_test"]>[number]): Promise<void> {
    const at = `expr: ${JSON.stringify(test.expr)}, time: ${test.eval_time / 1000}s,`;
    try {
      const timeMs = this.#startMs + test.eval_time;
      const { value } = await this.#engine.instant({ query: test.expr, timeMs });
      if (value.type !== "vector" && value.type !== "scalar")
        throw new SkoposError("execution", "rule result is not a vector or scalar");
      const samples: readonly VectorSample[] =
        value.type === "vector" ? value.samples : [{ labels: {}, timeMs, value: value.value }];
      const got = samples.map(expected);
      const wanted = (test.exp_samples ?? []).map(({ labels, value: number, histogram }) =>
        expected({
          labels: parseMetric(labels === "" ? "{}" : labels).toMap(),
          value: number,
          ...(histogram === undefined ? {} : { histogram: parseHistogram(histogram) }),
        }),
      );
      if (this.#sameSamples(wanted, got)) return;
      this.#failures.push(
        `${at}\n  exp: ${listText(wanted.map(sampleText))}\n  got: ${listText(got.map(sampleText))}`,
      );
    } catch (error) {
      this.#failures.push(`${at} err: ${messageOf(error)}`);
    }
  }

  #sameSamples(wanted: readonly Expected[], got: readonly Expected[]): boolean {
    if (wanted.length !== got.length) return false;
    const sorted = (list: readonly Expected[]) =>
      [...list].sort((a, b) => (a.labels.key < b.labels.key ? -1 : 1));
    const others = sorted(got);
    return sorted(wanted).every((sample, i) => {
      const other = others[i];
      return (
        other !== undefined &&
        sample.labels.equals(other.labels) &&
        sample.histogram === other.histogram &&
        (sample.histogram !== "" || sameValue(sample.value, other.value, this.#fuzzy))
      );
    });
  }
}

interface Expected {
  readonly labels: LabelSet;
  readonly value: number;
  /** "" for a float. */
  readonly histogram: string;
}

function expected(sample: {
  readonly labels: LabelMap;
  readonly value: number;
  readonly histogram?: NativeHistogram;
}): Expected {
  const { histogram } = sample;
  return {
    labels: LabelSet.fromMap(sample.labels),
    value: sample.value,
    // The hint says how a sample came about, not what it is.
    histogram: histogram ? JSON.stringify({ ...histogram, counterReset: "unknown" }) : "",
  };
}

/** Values a little apart, as rounding makes them, are equal when the file says `fuzzy_compare`: within 1e-15, or 4 units last. */
function sameValue(a: number, b: number, fuzzy: boolean): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (!fuzzy) return false;
  const apart = Math.abs(a - b);
  return apart <= 1e-15 || apart <= 4 * Number.EPSILON * Math.max(Math.abs(a), Math.abs(b));
}

function heldValue(value: NotedValue): number | "stale" | NativeHistogram | undefined {
  switch (value.kind) {
    case "gap":
      return undefined;
    case "stale":
      return "stale";
    case "float":
      return value.value;
    case "histogram":
      return value.histogram;
  }
}

function parseHistogram(text: string): NativeHistogram {
  const [value] = parseSeries(`x ${text}`).values;
  if (value?.kind !== "histogram")
    throw new SkoposError("bad-script", `not a histogram: ${JSON.stringify(text)}`);
  return value.histogram;
}

const alertText = (labels: LabelMap, annotations: LabelMap) =>
  `Labels:${String(LabelSet.fromMap(labels))} Annotations:${String(LabelSet.fromMap(annotations))}`;

const sampleText = ({ labels, value, histogram }: Expected) =>
  `${String(labels)} ${histogram === "" ? value : histogram}`;

function listText(texts: readonly string[]): string {
  return texts.length === 0 ? "nil" : `[${[...texts].sort().join(", ")}]`;
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return listText(a) === listText(b) && a.length === b.length;
}
