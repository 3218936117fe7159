/**
 * Alerts in, incidents out: each firing alert joins the incident whose origin it shares, or opens one. An incident that is
 * over takes no new alerts; the same trouble soon after it went quiet reopens it instead of opening another.
 */
import type { AlertInstance, EntityRef, Graph } from "@skopos/api";
import { serviceNodes } from "@skopos/mesh";
import { disturbedGraph, type DisturbedGraph, rootsOf, serviceOfAlert } from "../correlate.ts";
import type { Ledger } from "./ledger.ts";
import type { DeskContext } from "./options.ts";
import type { IncidentRecord } from "./state.ts";

/** An alert may go on for this long after a verified recovery, for its windows look back. */
const settleMs = 5 * 60_000;

interface Located {
  readonly alert: AlertInstance;
  readonly service: EntityRef | null;
  readonly roots: readonly string[];
  readonly disturbed: DisturbedGraph | undefined;
}

export class AlertIntake {
  readonly #context: DeskContext;
  readonly #ledger: Ledger;
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: DeskContext, ledger: Ledger) {
    this.#context = context;
    this.#ledger = ledger;
  }

  /** One batch at a time, so that two alerts of one moment see each other's incident. */
  take(alerts: readonly AlertInstance[]): Promise<void> {
    const result = this.#last.then(() => this.#takeAll(alerts));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #takeAll(alerts: readonly AlertInstance[]): Promise<void> {
    // The deepest first would be best and is not known; the longest active comes nearest to it.
    const order = [...alerts].sort((a, b) => a.activeAt - b.activeAt);
    for (const alert of order) {
      if (alert.state === "firing") await this.#firing(alert);
      else if (alert.state === "resolved") await this.#over(alert);
    }
  }

  /** The newest incident that holds the alert. */
  #holder(fingerprint: string): { incident: IncidentRecord; alert: AlertInstance } | undefined {
    for (const incident of [...this.#ledger.state.incidents.values()].reverse()) {
      const alert = incident.alerts.find((item) => item.fingerprint === fingerprint);
      if (alert) return { incident, alert };
    }
    return undefined;
  }

  async #over(alert: AlertInstance): Promise<void> {
    const held = this.#holder(alert.fingerprint);
    if (!held || held.alert.state === "resolved") return;
    const at = this.#context.clock.nowMs();
    const incidentId = held.incident.id;
    await this.#ledger.append({ type: "alert-changed", at, incidentId, alert });
  }

  async #firing(alert: AlertInstance): Promise<void> {
    const held = this.#holder(alert.fingerprint);
    const at = this.#context.clock.nowMs();
    if (held && held.incident.state !== "resolved") {
      if (held.alert.state !== "firing")
        await this.#ledger.append({
          type: "alert-changed",
          at,
          incidentId: held.incident.id,
          alert,
        });
      return;
    }
    if (held && (await this.#firesAfterEnd(held.incident, held.alert, alert))) return;
    await this.#place(alert);
  }

  /** Whether an alert of a resolved incident belongs to it still, or again. */
  async #firesAfterEnd(
    incident: IncidentRecord,
    known: AlertInstance,
    alert: AlertInstance,
  ): Promise<boolean> {
    const at = this.#context.clock.nowMs();
    const resolvedAt = incident.resolvedAt ?? at;
    const sinceMs = at - resolvedAt;
    if (alert.activeAt <= resolvedAt) {
      if (known.state !== "firing" || sinceMs < settleMs) return true;
      await this.#reopen(incident, alert, `${alert.name} goes on long after the recovery`);
      return true;
    }
    const flaps =
      incident.resolvedHow === "alerts-quiet" && sinceMs < this.#context.settings.reopenMs;
    if (flaps) await this.#reopen(incident, alert, `${alert.name} fires again`);
    return flaps;
  }

  async #reopen(incident: IncidentRecord, alert: AlertInstance, why: string): Promise<void> {
    const at = this.#context.clock.nowMs();
    const incidentId = incident.id;
    await this.#ledger.append({ type: "incident-reopened", at, incidentId, why });
    await this.#ledger.append({ type: "alert-changed", at, incidentId, alert });
  }

  async #locate(alert: AlertInstance): Promise<Located> {
    const { topology, cluster, clock } = this.#context;
    const service = serviceOfAlert(alert.labels, serviceNodes(cluster));
    const windowMs = topology.windowMinMs;
    let disturbed: DisturbedGraph | undefined;
    try {
      const before = alert.activeAt - windowMs - 30_000;
      const [now, usual] = await Promise.all([
        topology.graph({ timeMs: clock.nowMs(), windowMs }),
        topology.graph({ timeMs: before, windowMs }).catch((): Graph | undefined => undefined),
      ]);
      disturbed = disturbedGraph(now, usual);
    } catch (error) {
      this.#context.onError(error, "reading the graph to place an alert");
    }
    const roots = service ? (disturbed ? rootsOf(disturbed, service.id) : [service.id]) : [];
    return { alert, service, roots, disturbed };
  }

  /** Where an incident's alerts agree that it begins. */
  #originsOf(incident: IncidentRecord, disturbed: DisturbedGraph | undefined): readonly string[] {
    if (!disturbed) return incident.roots;
    const services = serviceNodes(this.#context.cluster);
    let common: readonly string[] | undefined;
    for (const { labels, state } of incident.alerts) {
      const service = serviceOfAlert(labels, services);
      if (!service || state !== "firing") continue;
      const roots = rootsOf(disturbed, service.id);
      common = common ? common.filter((root) => roots.includes(root)) : roots;
    }
    return common && common.length > 0 ? common : incident.roots;
  }

  #isSameTrouble(incident: IncidentRecord, located: Located): boolean {
    const { service, roots, disturbed } = located;
    if (!service) return incident.alerts.some((other) => other.name === located.alert.name);
    const origins = this.#originsOf(incident, disturbed);
    const cause = incident.diagnosis.state === "explained" ? incident.slice.causeId : null;
    return roots.some((root) => origins.includes(root) || root === cause);
  }

  async #place(alert: AlertInstance): Promise<void> {
    const located = await this.#locate(alert);
    const { clock, settings } = this.#context;
    const at = clock.nowMs();
    const joined = { alert, service: located.service, roots: [...located.roots] };
    const isNear = (incident: IncidentRecord) =>
      at - Math.max(incident.detectedAt, ...incident.alerts.map(({ activeAt }) => activeAt)) <
      settings.joinMs;
    const open = this.#ledger.unresolved
      .reverse()
      .find((incident) => isNear(incident) && this.#isSameTrouble(incident, located));
    if (open) {
      const incidentId = open.id;
      await this.#ledger.append({ type: "alert-joined", at, incidentId, ...joined, late: false });
      return;
    }
    const over = this.#overlapping(located);
    if (over) {
      const incidentId = over.id;
      await this.#ledger.append({ type: "alert-joined", at, incidentId, ...joined, late: true });
      return;
    }
    const name = located.service?.name;
    const summary = alert.annotations["summary"] ?? alert.annotations["description"] ?? alert.name;
    await this.#ledger.append({
      type: "incident-opened",
      at,
      incidentId: `inc-${this.#ledger.state.openedCount + 1}`,
      startedAt: alert.activeAt,
      title: name && !summary.includes(name) ? `${name}: ${summary}` : summary,
      ...joined,
    });
  }

  /** An incident just over, during which this alert began: it is told late and belongs to the past. */
  #overlapping({ alert, service, roots }: Located): IncidentRecord | undefined {
    const at = this.#context.clock.nowMs();
    return [...this.#ledger.state.incidents.values()].reverse().find((incident) => {
      if (incident.resolvedAt === null || at - incident.resolvedAt > settleMs) return false;
      if (alert.activeAt >= incident.resolvedAt) return false;
      const touched = new Set([
        ...incident.roots,
        ...incident.services.map(({ id }) => id),
        ...incident.slice.nodes.map(({ id }) => id),
      ]);
      return (
        (service !== null && touched.has(service.id)) || roots.some((root) => touched.has(root))
      );
    });
  }
}
