/** Runs rule groups, each on its own time. What they find goes to the sample sink, `onTransition` and `notify`. */
import type { Clock, MetricEngine, SampleSink } from "@skopos/model";
import type { AlertSnapshot, AlertTransition } from "./alert.ts";
import type { RuleGroup } from "./file.ts";
import { GroupRunner, type RunnerDependencies } from "./group-runner.ts";
import type { GroupStatus } from "./status.ts";

export interface RuleRunnerOptions {
  readonly groups: readonly RuleGroup[];
  readonly engine: MetricEngine;
  /** Takes recorded series, `ALERTS` and `ALERTS_FOR_STATE`. */
  readonly sink: SampleSink;
  readonly clock: Clock;
  readonly externalUrl: string;
  readonly externalLabels?: Readonly<Record<string, string>>;
  /** For groups that name no interval. */
  readonly defaultIntervalMs?: number;
  readonly queryTimeoutMs?: number;
  /** A firing alert is told again after this. */
  readonly resendDelayMs?: number;
  /** Each change of an alert's state, in order, once. */
  readonly onTransition?: (transition: AlertTransition) => void;
  /** What Prometheus would send to Alertmanagers: firing alerts again and again, resolved ones for 15 minutes. */
  readonly notify?: (alerts: readonly AlertSnapshot[]) => void;
}

export class RuleRunner {
  readonly #deps: RunnerDependencies;
  #groups: readonly GroupRunner[];
  #replacing: Promise<void> = Promise.resolve();
  #started = false;

  constructor(options: RuleRunnerOptions) {
    this.#deps = {
      engine: options.engine,
      sink: options.sink,
      clock: options.clock,
      externalUrl: options.externalUrl,
      externalLabels: options.externalLabels ?? {},
      defaultIntervalMs: options.defaultIntervalMs ?? 60_000,
      queryTimeoutMs: options.queryTimeoutMs ?? 30_000,
      resendDelayMs: options.resendDelayMs ?? 60_000,
      onTransition: options.onTransition ?? ignore,
      notify: options.notify ?? ignore,
    };
    this.#groups = options.groups.map((group) => new GroupRunner(group, this.#deps));
  }

  /**
   * Runs these groups from now on. A group that is the same goes on undisturbed; of one that changed, rules that keep name and
   * labels keep their alerts; what is gone resolves its alerts and ends its series.
   */
  replace(groups: readonly RuleGroup[]): Promise<void> {
    this.#replacing = this.#replacing.then(() => this.#replace(groups));
    return this.#replacing;
  }

  async #replace(groups: readonly RuleGroup[]): Promise<void> {
    const before = new Map(this.#groups.map((runner) => [keyOf(runner.group), runner]));
    const next: GroupRunner[] = [];
    for (const group of groups) {
      const known = before.get(keyOf(group));
      before.delete(keyOf(group));
      if (known && JSON.stringify(known.group) === JSON.stringify(group)) {
        next.push(known);
        continue;
      }
      const runner = new GroupRunner(group, this.#deps);
      if (known) {
        await known.stop();
        await runner.takeOver(known);
      }
      if (this.#started) runner.start();
      next.push(runner);
    }
    for (const gone of before.values()) {
      await gone.stop();
      await gone.end();
    }
    this.#groups = next;
  }

  start(): void {
    this.#started = true;
    for (const group of this.#groups) group.start();
  }

  /** Ends after the evaluations that run now. */
  async stop(): Promise<void> {
    await this.#replacing;
    this.#started = false;
    await Promise.all(this.#groups.map((group) => group.stop()));
  }

  /** By group, in the order of the files. */
  status(): GroupStatus[] {
    return this.#groups.map((group) => group.status());
  }

  /** Every alert that is pending, firing, or resolved in the last 15 minutes. */
  alerts(): AlertSnapshot[] {
    return this.status().flatMap((group) =>
      group.rules.flatMap((rule) => (rule.kind === "alert" ? rule.alerts : [])),
    );
  }
}

function keyOf({ file, name }: RuleGroup): string {
  return JSON.stringify([file, name]);
}

function ignore(): void {
  // Nobody listens.
}
