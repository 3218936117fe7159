/** Rules at work in the telemetry thread: evaluated on time, told to the main thread, notified from here. */
import {
  type AlertSnapshot,
  type GroupStatus,
  Notifier,
  parseRuleFile,
  RuleRunner,
} from "@skopos/alerting";
import type { AlertInstance } from "@skopos/api";
import type { Clock, MetricEngine, SampleSink } from "@skopos/model";
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
  return {
    alerts: () => runner.alerts().map(toInstance),
    groups: () => runner.status().map(toGroup),
    warnings: () =>
      runner
        .status()
        .flatMap((group) =>
          group.rules
            .filter((rule) => rule.health === "err")
            .map((rule) => `rule ${rule.name}: ${rule.lastError}`),
        ),
    stop: () => runner.stop(),
  };
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
