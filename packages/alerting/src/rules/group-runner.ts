/**
 * Evaluates one rule group on time: rules in their order, each seeing what those before it wrote. Evaluation times are
 * multiples of the interval plus an offset by the group's name; a group that takes longer than its interval misses
 * iterations, which are counted. Source: prometheus/rules/group.go.
 */
import {
  type Clock,
  type LabelMap,
  LabelSet,
  messageOf,
  type MetricEngine,
  metricNameLabel,
  type SampleSink,
  SkoposError,
  sleep,
  type VectorSample,
} from "@skopos/model";
import { AlertingRuleState } from "./alerting-rule.ts";
import type { AlertSnapshot, AlertTransition } from "./alert.ts";
import type { Rule, RuleGroup } from "./file.ts";
import { restoreForState } from "./restore.ts";
import { type RuleSample, RuleSeries } from "./rule-series.ts";
import type { GroupStatus, RuleStatus } from "./status.ts";

export interface RunnerDependencies {
  readonly engine: MetricEngine;
  readonly sink: SampleSink;
  readonly clock: Clock;
  readonly externalUrl: string;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly defaultIntervalMs: number;
  readonly queryTimeoutMs: number;
  readonly resendDelayMs: number;
  readonly onTransition: (transition: AlertTransition) => void;
  readonly notify: (alerts: readonly AlertSnapshot[]) => void;
  /** Nothing came before: there is no state to restore, and `ALERTS` are written from the first evaluation. */
  readonly startsFresh?: boolean;
}

interface RunningRule {
  readonly rule: Rule;
  readonly alerting: AlertingRuleState | undefined;
  series: RuleSeries;
  health: RuleStatus["health"];
  lastError: string;
  lastEvaluationMs: number | undefined;
  evaluationTimeMs: number | undefined;
  refusedSamples: number;
}

export class GroupRunner {
  readonly group: RuleGroup;
  readonly intervalMs: number;
  readonly #deps: RunnerDependencies;
  readonly #rules: readonly RunningRule[];
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #evaluations = 0;
  /** `ALERTS` are written only from here on, so that the state before a restart stays readable until it is restored. */
  #restored: boolean;
  #missed = 0;
  #lastEvaluationMs: number | undefined;
  #evaluationTimeMs: number | undefined;

  constructor(group: RuleGroup, deps: RunnerDependencies) {
    this.group = group;
    this.#deps = deps;
    this.#restored = deps.startsFresh ?? false;
    this.intervalMs = group.intervalMs ?? deps.defaultIntervalMs;
    const { externalLabels, externalUrl, sink } = deps;
    this.#rules = group.rules.map((rule, i) => ({
      rule,
      alerting:
        rule.kind === "alert"
          ? new AlertingRuleState({ rule, group, externalLabels, externalUrl })
          : undefined,
      series: new RuleSeries(sink, `rule ${group.file} ${group.name} ${i} ${rule.name}`),
      health: "unknown",
      lastError: "",
      lastEvaluationMs: undefined,
      evaluationTimeMs: undefined,
      refusedSamples: 0,
    }));
  }

  /**
   * Takes up where `before`, a stopped runner of the same group, left off: rules of the same name keep their series, alerts of
   * the same labels too their state. What is left of `before` ends.
   */
  async takeOver(before: GroupRunner): Promise<void> {
    const left = new Set(before.#rules);
    for (const running of this.#rules) {
      const { kind, name, labels } = running.rule;
      const same = [...left].find(
        ({ rule }) => rule.kind === kind && rule.name === name && sameLabels(rule.labels, labels),
      );
      if (!same) continue;
      left.delete(same);
      running.series = same.series;
      if (running.alerting && same.alerting) running.alerting.takeOver(same.alerting);
    }
    this.#restored = before.#restored;
    this.#evaluations = before.#evaluations;
    await before.#end(left);
  }

  /** The group is gone, after `stop`: its series become stale, its alerts are over. */
  end(): Promise<void> {
    return this.#end(new Set(this.#rules));
  }

  async #end(rules: ReadonlySet<RunningRule>): Promise<void> {
    const { clock, notify, onTransition, resendDelayMs, externalUrl } = this.#deps;
    const timeMs = clock.nowMs();
    const context = {
      externalUrl,
      nowMs: () => timeMs,
      query: () => Promise.resolve([]),
    };
    for (const { alerting, series } of rules) {
      series.end(timeMs);
      if (!alerting) continue;
      for (const transition of await alerting.evaluate(timeMs, [], context))
        onTransition(transition);
      const due = alerting.takeToSend(timeMs, resendDelayMs);
      if (due.length > 0) notify(due);
    }
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Ends after the evaluation that runs. Writes no staleness markers: the program will be back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#stop;
    const { intervalMs } = this;
    const offsetMs = hashText(`${this.group.file};${this.group.name}`) % intervalMs;
    const now = clock.nowMs();
    let timeMs = now - (now % intervalMs) + offsetMs;
    if (timeMs <= now) timeMs += intervalMs;
    while (!signal.aborted) {
      await sleep(clock, Math.max(0, timeMs - clock.nowMs()), signal);
      if (signal.aborted) return;
      await this.evaluate(timeMs);
      const behind = Math.max(0, Math.floor((clock.nowMs() - timeMs) / intervalMs) - 1);
      this.#missed += behind;
      timeMs += (behind + 1) * intervalMs;
    }
  }

  /** One iteration at `timeMs`. Never rejects: a rule that fails says so in its status, the others go on. */
  async evaluate(timeMs: number): Promise<void> {
    const began = this.#deps.clock.monotonicMs();
    for (const running of this.#rules) {
      if (this.#stop.signal.aborted) return;
      await this.#evaluateRule(running, timeMs);
    }
    this.#evaluations++;
    if (!this.#restored && this.#evaluations >= 2) await this.#restore(timeMs);
    this.#lastEvaluationMs = timeMs;
    this.#evaluationTimeMs = this.#deps.clock.monotonicMs() - began;
  }

  async #evaluateRule(running: RunningRule, timeMs: number): Promise<void> {
    const { clock, onTransition, notify, resendDelayMs } = this.#deps;
    const began = clock.monotonicMs();
    const queryMs = timeMs - (this.group.queryOffsetMs ?? 0);
    running.lastEvaluationMs = timeMs;
    try {
      const result = await this.#query(running.rule.expr, queryMs);
      const { alerting } = running;
      if (alerting) {
        const context = {
          externalUrl: this.#deps.externalUrl,
          nowMs: () => timeMs,
          query: (text: string) => this.#templateQuery(text, queryMs),
        };
        const transitions = await alerting.evaluate(timeMs, result, context);
        if (this.#restored)
          running.refusedSamples = running.series.write(queryMs, alerting.samples());
        for (const transition of transitions) onTransition(transition);
        const due = alerting.takeToSend(timeMs, resendDelayMs);
        if (due.length > 0) notify(due);
      } else {
        const samples = recorded(running.rule, result, this.group.limit);
        running.refusedSamples = running.series.write(queryMs, samples);
      }
      running.health = "ok";
      running.lastError = "";
    } catch (error) {
      running.health = "err";
      running.lastError = messageOf(error);
    }
    running.evaluationTimeMs = clock.monotonicMs() - began;
  }

  async #query(query: string, timeMs: number): Promise<readonly VectorSample[]> {
    const { engine, queryTimeoutMs: timeoutMs } = this.#deps;
    const { value } = await engine.instant({ query, timeMs, timeoutMs });
    if (value.type === "vector") return value.samples;
    if (value.type === "scalar") return [{ labels: {}, timeMs, value: value.value }];
    throw new SkoposError("execution", "rule result is not a vector or scalar");
  }

  async #templateQuery(query: string, timeMs: number) {
    const samples = await this.#query(query, timeMs);
    return samples.map(({ labels, value }) => ({ Labels: labels, Value: value }));
  }

  /** Prometheus waits for a second evaluation too: the first may come before enough was scraped. */
  async #restore(timeMs: number): Promise<void> {
    for (const running of this.#rules) {
      if (!running.alerting) continue;
      try {
        await restoreForState(running.alerting, this.#deps.engine, timeMs, this.intervalMs);
      } catch (error) {
        running.lastError = `could not restore the state before the restart: ${messageOf(error)}`;
      }
    }
    this.#restored = true;
  }

  status(): GroupStatus {
    return {
      name: this.group.name,
      file: this.group.file,
      intervalMs: this.intervalMs,
      limit: this.group.limit,
      lastEvaluationMs: this.#lastEvaluationMs,
      evaluationTimeMs: this.#evaluationTimeMs,
      missedIterations: this.#missed,
      rules: this.#rules.map(ruleStatus),
    };
  }
}

function sameLabels(a: LabelMap, b: LabelMap): boolean {
  return LabelSet.fromMap(a).equals(LabelSet.fromMap(b));
}

function ruleStatus(running: RunningRule): RuleStatus {
  const { rule, alerting, health, lastError, lastEvaluationMs, evaluationTimeMs } = running;
  const { refusedSamples } = running;
  const base = {
    name: rule.name,
    query: rule.expr,
    labels: rule.labels,
    health,
    lastError,
    lastEvaluationMs,
    evaluationTimeMs,
    refusedSamples,
  };
  if (rule.kind === "record" || !alerting) return { kind: "record", ...base };
  const alerts = alerting.alerts();
  const state = alerts.some((alert) => alert.state === "firing")
    ? "firing"
    : alerts.some((alert) => alert.state === "pending")
      ? "pending"
      : "inactive";
  const { forMs, keepFiringForMs, annotations } = rule;
  return { kind: "alert", ...base, state, forMs, keepFiringForMs, annotations, alerts };
}

/** A recording rule's samples. Throws when two get the same labels, or there are more than `limit`. */
function recorded(rule: Rule, result: readonly VectorSample[], limit: number): RuleSample[] {
  const seen = new Set<string>();
  const samples = result.map(({ labels, value }) => {
    const set = LabelSet.fromMap({ ...labels, ...rule.labels, [metricNameLabel]: rule.name });
    if (seen.has(set.key))
      throw new SkoposError(
        "execution",
        "vector contains metrics with the same labelset after applying rule labels",
      );
    seen.add(set.key);
    return { labels: set, value };
  });
  if (limit > 0 && samples.length > limit)
    throw new SkoposError("limit", `exceeded limit of ${limit} with ${samples.length} series`);
  return samples;
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash;
}
