/** Rules at work in the telemetry thread: evaluated on time, told to the main thread, notified from here. */
import {
  type AlertSnapshot,
  type GroupStatus,
  Notifier,
  parseRuleFile,
  type RuleGroup,
  RuleRunner,
} from "@skopos/alerting";
import type { AlertInstance } from "@skopos/api";
import type { ConfigText } from "@skopos/ingest";
import { type Clock, messageOf, type MetricEngine, type SampleSink } from "@skopos/model";
import type { RuleGroupState, TelemetryThreadData } from "./telemetry-calls.ts";

export interface AlertingParts {
  readonly engine: MetricEngine;
  readonly sink: SampleSink;
  readonly clock: Clock;
  /** Gets every alert that is pending, firing or lately resolved, when one of them changed. */
  readonly onAlerts: (alerts: readonly AlertInstance[]) => void;
}

export interface Alerting {
  alerts(): AlertInstance[];
  groups(): RuleGroupState[];
  warnings(): string[];
  /** Rule files of the cluster, which come and go; one that cannot be used is a warning, and what it held before stays. */
  setClusterRules(files: readonly ConfigText[]): void;
  stop(): Promise<void>;
}

/** Throws "bad-rule-file" with file, line and column. */
export function startAlerting(data: TelemetryThreadData, parts: AlertingParts): Alerting {
  const groups = data.ruleFiles.flatMap(({ text, file }) => parseRuleFile(text, file));
  let announced = false;
  /** Transitions of one evaluation come together; the main thread hears of them once. */
  const announce = () => {
    if (announced) return;
    announced = true;
    setImmediate(() => {
      announced = false;
      parts.onAlerts(runner.alerts().map(toInstance));
    });
  };
  const webhooks = data.webhooks.map(({ url }, i) => ({ name: `webhook-${i + 1}`, url }));
  const notifier = new Notifier({ webhooks, clock: parts.clock, externalUrl: data.externalUrl });
  const runner = new RuleRunner({
    groups,
    engine: parts.engine,
    sink: parts.sink,
    clock: parts.clock,
    externalUrl: data.externalUrl,
    onTransition: announce,
    notify: (alerts) => notifier.notify(alerts),
  });
  runner.start();
  const cluster = new ClusterRules();
  return {
    setClusterRules: (files) => {
      const found = cluster.read(files);
      void runner.replace([...groups, ...found]).then(announce);
    },
    alerts: () => runner.alerts().map(toInstance),
    groups: () => runner.status().map(toGroup),
    warnings: () => [
      ...cluster.warnings,
      ...runner
        .status()
        .flatMap((group) =>
          group.rules
            .filter((rule) => rule.health === "err")
            .map((rule) => `rule ${rule.name}: ${rule.lastError}`),
        ),
    ],
    stop: () => runner.stop(),
  };
}

/** The rule groups of files that others write. */
class ClusterRules {
  warnings: readonly string[] = [];
  #groups = new Map<string, readonly RuleGroup[]>();

  read(files: readonly ConfigText[]): RuleGroup[] {
    const warnings: string[] = [];
    const found = new Map<string, readonly RuleGroup[]>();
    for (const { file, text } of files) {
      try {
        found.set(file, parseRuleFile(text, file));
      } catch (error) {
        warnings.push(messageOf(error));
        const before = this.#groups.get(file);
        if (before) found.set(file, before);
      }
    }
    this.warnings = warnings;
    this.#groups = found;
    return [...found.values()].flat();
  }
}

function toInstance(alert: AlertSnapshot): AlertInstance {
  return {
    fingerprint: alert.fingerprint,
    name: alert.name,
    state: alert.state,
    severity: alert.labels["severity"] ?? "none",
    labels: { ...alert.labels },
    annotations: { ...alert.annotations },
    activeAt: alert.activeAtMs,
    firedAt: alert.firedAtMs ?? null,
    resolvedAt: alert.resolvedAtMs ?? null,
    value: Number.isNaN(alert.value) ? null : alert.value,
  };
}

function toGroup(group: GroupStatus): RuleGroupState {
  return {
    name: group.name,
    file: group.file,
    intervalMs: group.intervalMs,
    limit: group.limit,
    evaluationMs: group.evaluationTimeMs ?? null,
    lastEvaluationMs: group.lastEvaluationMs ?? null,
    rules: group.rules.map((rule) => ({
      name: rule.name,
      kind: rule.kind,
      query: rule.query,
      forMs: rule.kind === "alert" ? rule.forMs : 0,
      keepFiringForMs: rule.kind === "alert" ? rule.keepFiringForMs : 0,
      labels: rule.labels,
      annotations: rule.kind === "alert" ? rule.annotations : {},
      health: rule.health,
      lastError: rule.lastError === "" ? null : rule.lastError,
      evaluationMs: rule.evaluationTimeMs ?? null,
      lastEvaluationMs: rule.lastEvaluationMs ?? null,
      alerts: rule.kind === "alert" ? rule.alerts.map(toInstance) : [],
    })),
  };
}
