/**
 * An alerting rule's state: which label sets are pending, firing or resolved, by Prometheus's semantics.
 * Source: prometheus/rules/alerting.go. Firing needs `for` without a gap; a result that goes away keeps firing for
 * `keep_firing_for`; resolved alerts are remembered for 15 minutes so that everyone hears of it; more alerts than `limit`
 * discard them all.
 */
import {
  LabelSet,
  messageOf,
  metricNameLabel,
  SkoposError,
  type VectorSample,
} from "@skopos/model";
import type { TemplateContext } from "../template/functions.ts";
import { RuleTemplate } from "../template/template.ts";
import {
  type AlertSnapshot,
  type AlertState,
  type AlertTransition,
  fingerprintOf,
} from "./alert.ts";
import type { AlertingRule, RuleGroup } from "./file.ts";
import type { RuleSample } from "./rule-series.ts";

const resolvedRetentionMs = 15 * 60_000;
/** Alerts of one rule where the group sets no limit. */
const alertsMax = 10_000;

interface Alert {
  readonly labels: LabelSet;
  readonly fingerprint: string;
  annotations: Record<string, string>;
  value: number;
  state: AlertState;
  activeAtMs: number;
  firedAtMs: number | undefined;
  resolvedAtMs: number | undefined;
  keepFiringSinceMs: number | undefined;
  lastSentAtMs: number | undefined;
}

export interface AlertingRuleOptions {
  readonly rule: AlertingRule;
  readonly group: RuleGroup;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
}

function compile(texts: Readonly<Record<string, string>>): (readonly [string, RuleTemplate])[] {
  return Object.entries(texts).map(([name, text]) => [name, new RuleTemplate(text)] as const);
}

export class AlertingRuleState {
  readonly rule: AlertingRule;
  readonly #options: AlertingRuleOptions;
  readonly #labelTemplates: readonly (readonly [string, RuleTemplate])[];
  readonly #annotationTemplates: readonly (readonly [string, RuleTemplate])[];
  /** By label-set key. */
  #alerts = new Map<string, Alert>();

  constructor(options: AlertingRuleOptions) {
    this.rule = options.rule;
    this.#options = options;
    this.#labelTemplates = compile(this.rule.labels);
    this.#annotationTemplates = compile(this.rule.annotations);
  }

  /** Takes up the alerts of the rule that this one replaces. */
  takeOver(before: AlertingRuleState): void {
    this.#alerts = before.#alerts;
  }

  /**
   * Takes the expression's result at `timeMs`. Throws when the result cannot be made into alerts (two with the same labels)
   * or is over the limit; only the latter changes the state, by discarding all.
   */
  async evaluate(
    timeMs: number,
    result: readonly VectorSample[],
    context: TemplateContext,
  ): Promise<AlertTransition[]> {
    const found = await this.#alertsOf(timeMs, result, context);
    const transitions: AlertTransition[] = [];
    for (const [key, alert] of found) {
      const known = this.#alerts.get(key);
      if (known && known.state !== "resolved") {
        known.value = alert.value;
        known.annotations = alert.annotations;
      } else this.#alerts.set(key, alert);
    }
    let active = 0;
    for (const [key, alert] of this.#alerts) {
      const before = this.#stateBefore(alert, timeMs);
      if (!found.has(key)) this.#absent(key, alert, timeMs);
      else alert.keepFiringSinceMs = undefined;
      if (alert.state === "pending" && found.has(key)) this.#mature(alert, timeMs);
      if (alert.state !== "resolved" && this.#alerts.has(key)) active++;
      const to = this.#alerts.has(key) || before !== "pending" ? alert.state : "inactive";
      if (to !== before)
        transitions.push({ alert: this.#snapshot(alert), from: before, to, timeMs });
    }
    this.#enforceLimit(active);
    return transitions;
  }

  /** An alert made in this evaluation was inactive before it. */
  #stateBefore(alert: Alert, timeMs: number): AlertState | "inactive" {
    const isNew = alert.state === "pending" && alert.activeAtMs === timeMs;
    return isNew ? "inactive" : alert.state;
  }

  #absent(key: string, alert: Alert, timeMs: number): void {
    if (alert.state === "firing" && this.rule.keepFiringForMs > 0) {
      alert.keepFiringSinceMs ??= timeMs;
      if (timeMs - alert.keepFiringSinceMs < this.rule.keepFiringForMs) return;
    }
    const isOld =
      alert.resolvedAtMs !== undefined && timeMs - alert.resolvedAtMs > resolvedRetentionMs;
    if (alert.state === "pending" || isOld) this.#alerts.delete(key);
    if (alert.state !== "firing") return;
    alert.state = "resolved";
    alert.resolvedAtMs = timeMs;
    alert.keepFiringSinceMs = undefined;
  }

  #mature(alert: Alert, timeMs: number): void {
    if (timeMs - alert.activeAtMs < this.rule.forMs) return;
    alert.state = "firing";
    alert.firedAtMs = timeMs;
  }

  #enforceLimit(active: number): void {
    const limit = this.#options.group.limit || alertsMax;
    if (active <= limit) return;
    this.#alerts = new Map();
    throw new SkoposError("limit", `exceeded limit of ${limit} with ${active} alerts`);
  }

  async #alertsOf(
    timeMs: number,
    result: readonly VectorSample[],
    context: TemplateContext,
  ): Promise<Map<string, Alert>> {
    const alerts = new Map<string, Alert>();
    for (const sample of result) {
      const labels = await this.#labels(sample, context);
      if (alerts.has(labels.key))
        throw new SkoposError(
          "execution",
          "vector contains metrics with the same labelset after applying alert labels",
        );
      alerts.set(labels.key, {
        labels,
        fingerprint: fingerprintOf(labels),
        annotations: Object.fromEntries(
          await this.#expandAll(this.#annotationTemplates, sample, context),
        ),
        value: sample.value,
        state: "pending",
        activeAtMs: timeMs,
        firedAtMs: undefined,
        resolvedAtMs: undefined,
        keepFiringSinceMs: undefined,
        lastSentAtMs: undefined,
      });
    }
    return alerts;
  }

  async #labels(sample: VectorSample, context: TemplateContext): Promise<LabelSet> {
    const { [metricNameLabel]: _, ...rest } = sample.labels;
    const own = await this.#expandAll(this.#labelTemplates, sample, context);
    return LabelSet.fromPairs([
      ...Object.entries(rest),
      ...own,
      ["alertname", this.rule.name] as const,
    ]);
  }

  /** A template that fails leaves its error as the text: the alert matters more than its words. */
  async #expandAll(
    templates: readonly (readonly [string, RuleTemplate])[],
    sample: VectorSample,
    context: TemplateContext,
  ): Promise<[string, string][]> {
    const { externalLabels, externalUrl } = this.#options;
    const data = { labels: sample.labels, value: sample.value, externalLabels, externalUrl };
    const expanded: [string, string][] = [];
    for (const [name, template] of templates) {
      let text: string;
      try {
        text = await template.expand(data, context);
      } catch (error) {
        text = `<error expanding template: ${messageOf(error)}>`;
      }
      expanded.push([name, text]);
    }
    return expanded;
  }

  /** `ALERTS` and `ALERTS_FOR_STATE` of what is pending or firing now. */
  samples(): RuleSample[] {
    const samples: RuleSample[] = [];
    for (const alert of this.#alerts.values()) {
      if (alert.state === "resolved") continue;
      const { labels } = alert;
      const state = labels.with("alertstate", alert.state);
      samples.push({ labels: state.with(metricNameLabel, "ALERTS"), value: 1 });
      samples.push({
        labels: labels.with(metricNameLabel, "ALERTS_FOR_STATE"),
        value: Math.floor(alert.activeAtMs / 1000),
      });
    }
    return samples;
  }

  /**
   * Alerts that others should hear of now: firing ones that were not sent for `resendDelayMs`, resolved ones that were not
   * sent since. Marks them as sent.
   */
  takeToSend(timeMs: number, resendDelayMs: number): AlertSnapshot[] {
    const due: AlertSnapshot[] = [];
    for (const alert of this.#alerts.values()) {
      if (alert.state === "pending") continue;
      const last = alert.lastSentAtMs;
      const isNewlyResolved =
        alert.resolvedAtMs !== undefined && (last === undefined || alert.resolvedAtMs > last);
      if (!isNewlyResolved && last !== undefined && last + resendDelayMs > timeMs) continue;
      alert.lastSentAtMs = timeMs;
      due.push(this.#snapshot(alert));
    }
    return due;
  }

  alerts(): AlertSnapshot[] {
    return [...this.#alerts.values()].map((alert) => this.#snapshot(alert));
  }

  /** Alerts whose start is not known to be the real one: what a restart's restoring looks at. */
  *pendingOrFiring(): Generator<{ labels: LabelSet; setActiveAt: (activeAtMs: number) => void }> {
    for (const alert of this.#alerts.values())
      if (alert.state !== "resolved")
        yield {
          labels: alert.labels,
          setActiveAt: (activeAtMs) => {
            alert.activeAtMs = activeAtMs;
          },
        };
  }

  #snapshot(alert: Alert): AlertSnapshot {
    return {
      fingerprint: alert.fingerprint,
      name: this.rule.name,
      group: this.#options.group.name,
      file: this.#options.group.file,
      state: alert.state,
      labels: alert.labels.toMap(),
      annotations: alert.annotations,
      value: alert.value,
      activeAtMs: alert.activeAtMs,
      firedAtMs: alert.firedAtMs,
      resolvedAtMs: alert.resolvedAtMs,
      kept: alert.keepFiringSinceMs !== undefined,
      expr: this.rule.expr,
    };
  }
}
