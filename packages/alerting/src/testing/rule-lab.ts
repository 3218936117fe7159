/**
 * Rules over series in memory with the real PromQL engine and a clock that moves when told: what rules write can be queried
 * by the rules after them, and by a second runner that stands for the program after a restart.
 */
import { type Clock, LabelSet, type MetricEngine } from "@skopos/model";
import { createMetricEngine } from "@skopos/promql";
import { MemoryReader } from "@skopos/promql/testing";
import type { AlertSnapshot, AlertTransition } from "../rules/alert.ts";
import { parseRuleFile } from "../rules/file.ts";
import { MemorySink } from "../unit-test/memory-sink.ts";
import { RuleRunner, type RuleRunnerOptions } from "../rules/runner.ts";

/** A clock that moves when told (testkit's `FakeClock`). */
export interface MovableClock extends Clock {
  advance(durationMs: number): Promise<void>;
}

export class RuleLab {
  readonly clock: MovableClock;
  readonly reader = new MemoryReader();
  readonly sink = new MemorySink(this.reader);
  readonly engine: MetricEngine;
  /** `Name{x="y"} from→to`, in order. */
  readonly transitions: string[] = [];
  readonly sent: { timeMs: number; alerts: readonly AlertSnapshot[] }[] = [];
  runner: RuleRunner;

  constructor(rules: string, clock: MovableClock, options: Partial<RuleRunnerOptions> = {}) {
    this.clock = clock;
    this.engine = createMetricEngine({ reader: this.reader, clock });
    this.runner = this.#start(rules, options);
  }

  #start(rules: string, options: Partial<RuleRunnerOptions>): RuleRunner {
    const runner = new RuleRunner({
      groups: parseRuleFile(rules, "rules.yaml"),
      engine: this.engine,
      sink: this.sink,
      clock: this.clock,
      externalUrl: "http://desk.example",
      onTransition: (transition) => this.transitions.push(describe(transition)),
      notify: (alerts) => this.sent.push({ timeMs: this.clock.nowMs(), alerts }),
      ...options,
    });
    runner.start();
    return runner;
  }

  /** Ends the runner and starts another on the same data, as after a restart. */
  async restart(rules: string, downMs: number): Promise<void> {
    await this.runner.stop();
    await this.clock.advance(downMs);
    this.runner = this.#start(rules, {});
  }

  /** Writes `values` one `stepMs` apart while time goes on; "stale" is a marker, undefined no sample. */
  async feed(
    labels: Record<string, string>,
    stepMs: number,
    values: readonly (number | "stale" | undefined)[],
  ): Promise<void> {
    for (const value of values) {
      if (value !== undefined)
        this.reader.add(LabelSet.fromMap(labels), [{ timeMs: this.clock.nowMs(), value }]);
      await this.clock.advance(stepMs);
    }
  }

  /** An instant query now, as series → value. */
  async query(query: string): Promise<Record<string, number>> {
    const { value } = await this.engine.instant({ query, timeMs: this.clock.nowMs() });
    if (value.type !== "vector") throw new Error(`not a vector: ${query}`);
    return Object.fromEntries(
      value.samples.map((sample) => [String(LabelSet.fromMap(sample.labels)), sample.value]),
    );
  }

  states(): string[] {
    return this.runner.alerts().map((alert) => alert.state);
  }
}

function describe({ alert, from, to }: AlertTransition): string {
  const { alertname, ...labels } = alert.labels;
  return `${alertname}${String(LabelSet.fromMap(labels))} ${from}→${to}`;
}
