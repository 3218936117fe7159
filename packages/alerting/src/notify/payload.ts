/** The body of a webhook as Alertmanager sends it, version "4". Source: Alertmanager configuration, `webhook_config`. */
import type { AlertSnapshot } from "../rules/alert.ts";

interface WebhookAlert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly fingerprint: string;
}

export interface WebhookPayload {
  readonly version: "4";
  readonly groupKey: string;
  readonly truncatedAlerts: number;
  readonly status: "firing" | "resolved";
  readonly receiver: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly commonLabels: Readonly<Record<string, string>>;
  readonly commonAnnotations: Readonly<Record<string, string>>;
  readonly externalURL: string;
  readonly alerts: readonly WebhookAlert[];
}

/** Go's zero time: the end of an alert that has none. */
const noEnd = "0001-01-01T00:00:00Z";

export interface PayloadOptions {
  readonly receiver: string;
  readonly externalUrl: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  /** More alerts than this are counted in `truncatedAlerts`. */
  readonly alertsMax: number;
}

export function webhookPayload(
  alerts: readonly AlertSnapshot[],
  options: PayloadOptions,
): WebhookPayload {
  const { receiver, externalUrl, groupLabels, alertsMax } = options;
  const group = Object.entries(groupLabels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(", ");
  return {
    version: "4",
    groupKey: `{}:{${group}}`,
    truncatedAlerts: Math.max(0, alerts.length - alertsMax),
    status: alerts.every((alert) => alert.state === "resolved") ? "resolved" : "firing",
    receiver,
    groupLabels,
    commonLabels: inCommon(alerts.map((alert) => alert.labels)),
    commonAnnotations: inCommon(alerts.map((alert) => alert.annotations)),
    externalURL: externalUrl,
    alerts: alerts.slice(0, alertsMax).map((alert) => webhookAlert(alert, externalUrl)),
  };
}

function webhookAlert(alert: AlertSnapshot, externalUrl: string): WebhookAlert {
  const ended = alert.state === "resolved" ? alert.resolvedAtMs : undefined;
  const query = encodeURIComponent(alert.expr).replaceAll("%20", "+");
  return {
    status: alert.state === "resolved" ? "resolved" : "firing",
    labels: alert.labels,
    annotations: alert.annotations,
    startsAt: new Date(alert.firedAtMs ?? alert.activeAtMs).toISOString(),
    endsAt: ended === undefined ? noEnd : new Date(ended).toISOString(),
    generatorURL: `${externalUrl}/graph?g0.expr=${query}&g0.tab=1`,
    fingerprint: alert.fingerprint,
  };
}

function inCommon(maps: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...others] = maps;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((map) => map[name] === value)),
  );
}
