/**
 * After a restart: takes up `for` where it was, from `ALERTS_FOR_STATE`. Source: prometheus/rules/group.go RestoreForState.
 * An alert that was already firing fires again at once; one that was pending goes on, without the time the program was away,
 * but not sooner than the grace period. Unlike Prometheus, rules whose `for` is shorter than the grace period are restored
 * too, as far as they were firing: the same fault stays the same alert.
 */
import { type MetricEngine, metricNameLabel } from "@skopos/model";
import type { AlertingRuleState } from "./alerting-rule.ts";

export interface RestoreOptions {
  /** State older than this is forgotten. */
  readonly outageToleranceMs: number;
  readonly graceMs: number;
}

const restoreDefaults: RestoreOptions = {
  outageToleranceMs: 3_600_000,
  graceMs: 600_000,
};

interface Remembered {
  readonly lastMs: number;
  readonly activeAtMs: number;
}

/** Rejects when the engine does; the alerts then stay as they are. */
export async function restoreForState(
  state: AlertingRuleState,
  engine: MetricEngine,
  timeMs: number,
  intervalMs: number,
  options: RestoreOptions = restoreDefaults,
): Promise<number> {
  const alerts = [...state.pendingOrFiring()];
  if (alerts.length === 0) return 0;
  const wanted = new Set(alerts.map(({ labels }) => labels.key));
  const window = { timeMs, intervalMs, lookBackMs: options.outageToleranceMs };
  const remembered = await readForState(state.rule.name, wanted, engine, window);
  const { forMs } = state.rule;
  const graceMs = Math.min(options.graceMs, forMs);
  let restored = 0;
  for (const alert of alerts) {
    const before = remembered.get(alert.labels.key);
    if (!before) continue;
    const remainingMs = forMs - (before.lastMs - before.activeAtMs);
    let activeAtMs = before.activeAtMs;
    if (remainingMs > 0)
      activeAtMs =
        remainingMs < graceMs ? timeMs + graceMs - forMs : activeAtMs + (timeMs - before.lastMs);
    alert.setActiveAt(Math.min(activeAtMs, timeMs));
    restored++;
  }
  return restored;
}

async function readForState(
  name: string,
  wanted: ReadonlySet<string>,
  engine: MetricEngine,
  window: { readonly timeMs: number; readonly intervalMs: number; readonly lookBackMs: number },
): Promise<Map<string, Remembered>> {
  const { timeMs, intervalMs } = window;
  const selector = `ALERTS_FOR_STATE{alertname=${JSON.stringify(name)}}`;
  const range = `[${Math.round(window.lookBackMs / 1000)}s]`;
  const { value } = await engine.instant({ query: selector + range, timeMs });
  const found = new Map<string, Remembered>();
  if (value.type !== "matrix") return found;
  for (const { labels, times, values } of value.series) {
    const lastMs = times.at(-1);
    const active = values.at(-1);
    if (lastMs === undefined || active === undefined) continue;
    const key = keyWithoutName(labels);
    if (wanted.has(key)) found.set(key, { lastMs, activeAtMs: active * 1000 });
  }
  await dropEnded(found, selector, engine, intervalMs);
  return found;
}

/** A staleness marker after the last sample says that the alert had ended before the program stopped. */
async function dropEnded(
  found: Map<string, Remembered>,
  selector: string,
  engine: MetricEngine,
  intervalMs: number,
): Promise<void> {
  const afterMs = new Set([...found.values()].map(({ lastMs }) => lastMs + 1.5 * intervalMs));
  for (const timeMs of afterMs) {
    const { value } = await engine.instant({ query: selector, timeMs: Math.round(timeMs) });
    if (value.type !== "vector") continue;
    const alive = new Set(value.samples.map(({ labels }) => keyWithoutName(labels)));
    for (const [key, { lastMs }] of found)
      if (lastMs + 1.5 * intervalMs === timeMs && !alive.has(key)) found.delete(key);
  }
}

function keyWithoutName(labels: Readonly<Record<string, string>>): string {
  const flat: string[] = [];
  for (const name of Object.keys(labels).sort())
    if (name !== metricNameLabel) flat.push(name, labels[name] ?? "");
  return flat.join("\u0000");
}
