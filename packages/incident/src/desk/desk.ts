/**
 * The incident desk: alerts in, one incident per fault, explained, mended under guard, proven and told. All its state is
 * the event log folded in memory; it can be stopped at any moment and goes on where it was.
 */
import type { AlertInstance, Incident, IncidentSummary } from "@skopos/api";
import type { Trouble } from "@skopos/mesh";
import { SkoposError } from "@skopos/model";
import { defaultSettings } from "../settings.ts";
import { ActionDesk } from "./action-desk.ts";
import { Diagnostics } from "./diagnostics.ts";
import { AlertIntake } from "./intake.ts";
import { Ledger } from "./ledger.ts";
import type { DeskContext, DeskOptions } from "./options.ts";
import { type IncidentRecord, isInFlight } from "./state.ts";
import { actionView, impactOf, runbookView, summaryOf } from "./views.ts";

const tickMs = 1000;
const impactFreshMs = 5000;
const machine = "skopos";

interface CachedImpact {
  readonly atMs: number;
  readonly impact: Promise<Incident["impact"]>;
}

export class IncidentDesk {
  readonly #context: DeskContext;
  readonly #ledger: Ledger;
  readonly #intake: AlertIntake;
  readonly #actions: ActionDesk;
  readonly #diagnostics: Diagnostics;
  readonly #impacts = new Map<string, CachedImpact>();
  #endChanges: () => void = () => undefined;
  #cancelTick: () => void = () => undefined;
  #ticking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: DeskOptions) {
    this.#context = {
      ...options,
      settings: { ...defaultSettings, ...options.settings },
      onError: options.onError ?? (() => undefined),
    };
    this.#ledger = new Ledger(options.log, options.onUpdate ?? (() => undefined));
    this.#actions = new ActionDesk(this.#context, this.#ledger);
    this.#intake = new AlertIntake(this.#context, this.#ledger);
    this.#diagnostics = new Diagnostics(this.#context, this.#ledger, async (incidentId) => {
      await this.#actions.propose(incidentId);
    });
  }

  /** Replays the log, hands remembered changes back to the cluster, takes up interrupted actions, begins to tick. */
  async start(): Promise<void> {
    await this.#ledger.load();
    this.#context.cluster.remember(this.#ledger.state.changes);
    this.#endChanges = this.#context.cluster.onChange((record) => {
      const at = this.#context.clock.nowMs();
      this.#ledger
        .append({ type: "change-seen", at, record })
        .catch((error: unknown) => this.#context.onError(error, "recording a change"));
    });
    await this.#actions.resume();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTick();
    this.#endChanges();
    await this.#ticking;
    await this.#diagnostics.idle();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancelTick = this.#context.clock.after(tickMs, () => {
      this.#ticking = this.#tick()
        .catch((error: unknown) => this.#context.onError(error, "looking after incidents"))
        .finally(() => this.#schedule());
    });
  }

  async #tick(): Promise<void> {
    this.#diagnostics.tick();
    await this.#actions.tick();
    for (const incident of this.#ledger.unresolved) await this.#resolveIfOver(incident);
  }

  /** By an action that proved itself, or by alerts that went quiet and stayed so. */
  async #resolveIfOver(incident: IncidentRecord): Promise<void> {
    const { clock, settings } = this.#context;
    if (incident.actions.some(({ state }) => isInFlight(state))) return;
    const last = incident.actions.findLast(({ startedAt }) => startedAt !== null);
    if (incident.state === "mitigating" && last?.state === "succeeded") {
      await this.#close(incident.id, machine, "verified-action", `${last.title}. ${last.outcome}`);
      return;
    }
    const quietSince = Math.max(
      ...incident.alerts.map(({ state, resolvedAt }) =>
        state === "resolved" ? (resolvedAt ?? clock.nowMs()) : Number.POSITIVE_INFINITY,
      ),
    );
    if (clock.nowMs() - quietSince >= settings.quietMs)
      await this.#close(
        incident.id,
        machine,
        "alerts-quiet",
        `Every alert is over, and has been for ${Math.round(settings.quietMs / 1000)} s`,
      );
  }

  async #close(
    incidentId: string,
    by: string,
    how: "alerts-quiet" | "verified-action" | "by-hand",
    why: string,
  ): Promise<void> {
    await this.#actions.closePending(incidentId);
    const at = this.#context.clock.nowMs();
    await this.#ledger.append({ type: "resolved", at, incidentId, by, how, why });
  }

  /** What alerting says: alerts whose state is new, or all of them; repeating changes nothing. */
  async alertsChanged(alerts: readonly AlertInstance[]): Promise<void> {
    await this.#intake.take(alerts);
  }

  /** Newest first. */
  list(which: "open" | "resolved" | "all" = "all"): IncidentSummary[] {
    return [...this.#ledger.state.incidents.values()]
      .filter(({ state }) => which === "all" || (state === "resolved") === (which === "resolved"))
      .map(summaryOf)
      .reverse();
  }

  /** Throws `not-found`. */
  async incident(id: string): Promise<Incident> {
    const record = this.#ledger.incident(id);
    const [impact, runbook] = await Promise.all([
      this.#impact(record),
      runbookView(record, this.#context.runbooks, this.#context),
    ]);
    const current = this.#ledger.incident(id);
    return {
      ...summaryOf(current),
      alerts: [...current.alerts],
      impact,
      slice: current.slice,
      diagnosis: current.diagnosis,
      actions: current.actions.map((action) =>
        actionView(action, this.#actions.progressOf(action.id)),
      ),
      runbook,
      timeline: [...current.timeline],
    };
  }

  async #impact(record: IncidentRecord): Promise<Incident["impact"]> {
    const nowMs = this.#context.clock.nowMs();
    const key = `${record.id}/${record.resolvedAt ?? ""}`;
    const known = this.#impacts.get(key);
    if (known && (record.resolvedAt !== null || nowMs - known.atMs < impactFreshMs))
      return await known.impact;
    const impact = impactOf(record, this.#context).catch((error: unknown) => {
      this.#context.onError(error, "measuring the impact");
      this.#impacts.delete(key);
      return { failedRequests: null, userErrorRatio: null, userErrorPoints: [] };
    });
    this.#impacts.set(key, { atMs: nowMs, impact });
    const oldest = this.#impacts.keys().next().value;
    if (this.#impacts.size > 100 && oldest !== undefined) this.#impacts.delete(oldest);
    return await impact;
  }

  /** What burns at a node of the graph. */
  trouble(nodeId: string): Trouble {
    const here = this.#ledger.unresolved.filter(
      ({ services, slice }) =>
        slice.causeId === nodeId || services.some((service) => service.id === nodeId),
    );
    const firing = here.flatMap(({ alerts }) => alerts.filter(({ state }) => state === "firing"));
    const name = nodeId.split("/")[1];
    return {
      alerts: firing.filter(({ labels }) => Object.values(labels).includes(name ?? "")).length,
      incidentId: here.at(-1)?.id ?? null,
    };
  }

  #requireOpen(id: string): IncidentRecord {
    const record = this.#ledger.incident(id);
    if (record.state === "resolved")
      throw new SkoposError("conflict", `incident ${id} is resolved already`);
    return record;
  }

  async acknowledge(id: string, by: string): Promise<Incident> {
    this.#requireOpen(id);
    const at = this.#context.clock.nowMs();
    await this.#ledger.append({ type: "acknowledged", at, incidentId: id, by });
    return await this.incident(id);
  }

  async addNote(id: string, by: string, text: string): Promise<Incident> {
    this.#ledger.incident(id);
    const at = this.#context.clock.nowMs();
    await this.#ledger.append({ type: "noted", at, incidentId: id, by, text });
    return await this.incident(id);
  }

  async resolve(id: string, by: string): Promise<Incident> {
    const record = this.#requireOpen(id);
    if (record.actions.some(({ state }) => isInFlight(state)))
      throw new SkoposError("conflict", "an action is under way: wait for its outcome, or undo it");
    await this.#close(id, by, "by-hand", "Resolved by a person");
    return await this.incident(id);
  }

  /** The action's life: see `ActionDesk`. */
  get actions(): Pick<ActionDesk, "plan" | "approve" | "refuse" | "undo"> {
    return this.#actions;
  }

  /** While paused, no action is approved anywhere. */
  set paused(paused: boolean) {
    this.#actions.paused = paused;
  }
}
