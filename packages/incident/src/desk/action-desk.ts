/**
 * The life of an action: proposed → planned → awaiting approval → executing → verifying → succeeded, or undone. Every step
 * that writes is announced in the log before and confirmed after, so that a restart between any two steps knows where it
 * stood; whether a write happened is read from the object itself, never guessed, and nothing is written twice.
 */
import type { Action, Criterion, Graph, Hypothesis } from "@skopos/api";
import { serviceNodes } from "@skopos/mesh";
import { messageOf, SkoposError } from "@skopos/model";
import { actionFor, makePlan, targetRef } from "../actions/plan.ts";
import { refusalOf } from "../actions/rails.ts";
import { criteriaFor, judge } from "../actions/verify.ts";
import { carryOutAgainst, readLive, sameDesired, undoWrite } from "../actions/write.ts";
import { serviceOfAlert } from "../correlate.ts";
import { matchRunbook } from "../runbooks.ts";
import type { Planned } from "./events.ts";
import type { Ledger } from "./ledger.ts";
import type { DeskContext } from "./options.ts";
import { type IncidentRecord, isClosed, isInFlight } from "./state.ts";

const machine = "skopos";

/** Figures of an action being verified; not events, for they come anew with every look. */
export interface Progress {
  readonly criteria: readonly Criterion[];
  readonly heldSince: number | null;
}

function conflict(message: string): never {
  throw new SkoposError("conflict", message);
}

export class ActionDesk {
  readonly #context: DeskContext;
  readonly #ledger: Ledger;
  readonly #progress = new Map<string, Progress>();
  /** Actions that a step is being taken for: a second step has to wait for its outcome. */
  readonly #busy = new Set<string>();
  readonly #lookedAt = new Map<string, number>();
  #paused: boolean;

  constructor(context: DeskContext, ledger: Ledger) {
    this.#context = context;
    this.#ledger = ledger;
    this.#paused = context.settings.paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
  }

  progressOf(actionId: string): Progress | undefined {
    return this.#progress.get(actionId);
  }

  #find(incidentId: string, actionId: string): { incident: IncidentRecord; action: Action } {
    const incident = this.#ledger.incident(incidentId);
    const action = incident.actions.find(({ id }) => id === actionId);
    if (!action)
      throw new SkoposError("not-found", `incident ${incidentId} has no action ${actionId}`);
    return { incident, action };
  }

  /** Takes one step for an action; a step while another is under way is refused. */
  async #exclusively<T>(actionId: string, step: () => Promise<T>): Promise<T> {
    if (this.#busy.has(actionId)) conflict("a step of this action is under way already");
    this.#busy.add(actionId);
    try {
      return await step();
    } finally {
      this.#busy.delete(actionId);
    }
  }

  #hypothesisOf(incident: IncidentRecord, action: Action): Hypothesis | undefined {
    return incident.diagnosis.hypotheses.find(({ id }) => id === action.hypothesisId);
  }

  /** Proposes what the runbook of the first hypothesis says, and plans it. */
  async propose(incidentId: string): Promise<void> {
    const incident = this.#ledger.incident(incidentId);
    const [first] = incident.diagnosis.hypotheses;
    if (incident.diagnosis.state !== "explained" || !first) return;
    await this.#withdraw(incident, first);
    if (first.confidence < this.#context.settings.proposeConfidence || !first.change) return;
    const runbook = matchRunbook(this.#context.runbooks, first.mechanism, first.change.kind);
    const wanted = runbook?.steps.find((step) => "action" in step);
    const cure = actionFor(first.change);
    if (!wanted || !("action" in wanted) || !cure) return;
    if (wanted.action !== "from-change" && wanted.action !== cure.kind) return;
    const { object } = first.change;
    const known = incident.actions.some(
      (action) => action.target.id === object.id && action.kind === cure.kind,
    );
    if (known || incident.actions.some(({ state }) => isInFlight(state))) return;
    const action: Action = {
      id: `${incidentId}-action-${incident.actions.length + 1}`,
      incidentId,
      hypothesisId: first.id,
      kind: cure.kind,
      target: object,
      title: cure.title,
      why: `It takes back the change that is blamed: ${first.change.summary}.`,
      state: "proposed",
      plan: null,
      criteria: [],
      holdMs: this.#context.settings.holdMs,
      heldSince: null,
      deadlineAt: null,
      approvedBy: null,
      startedAt: null,
      endedAt: null,
      outcome: null,
    };
    const at = this.#context.clock.nowMs();
    await this.#ledger.append({ type: "action-proposed", at, incidentId, action });
    await this.#exclusively(action.id, () => this.#plan(incidentId, action.id));
  }

  /** Proposals that nobody has approved yet go when another cause comes first. */
  async #withdraw(incident: IncidentRecord, first: Hypothesis): Promise<void> {
    for (const action of incident.actions)
      if (
        !isClosed(action.state) &&
        !isInFlight(action.state) &&
        action.hypothesisId !== first.id &&
        action.target.id !== first.change?.object.id
      )
        await this.#close(action, "refused", machine, "Another cause is more likely now.");
  }

  async #close(action: Action, state: "refused" | "expired" | "failed", by: string, why: string) {
    const { incidentId, id: actionId } = action;
    const at = this.#context.clock.nowMs();
    await this.#ledger.append({ type: "action-closed", at, incidentId, actionId, state, by, why });
  }

  async #graph(): Promise<Graph | undefined> {
    const { topology, clock } = this.#context;
    try {
      return await topology.graph({ timeMs: clock.nowMs(), windowMs: topology.windowMinMs });
    } catch (error) {
      this.#context.onError(error, "reading the graph for an action");
      return undefined;
    }
  }

  async #criteria(incident: IncidentRecord, serviceId: string, graph: Graph | undefined) {
    const { engines, cluster, clock, settings, topology } = this.#context;
    const services = serviceNodes(cluster);
    const ids = new Map(
      incident.alerts.flatMap(({ labels }) => {
        const service = serviceOfAlert(labels, services);
        return service ? [[service.id, service] as const] : [];
      }),
    );
    const cause = incident.diagnosis.hypotheses.find(({ node }) => node.id === serviceId)?.node;
    const measured = (id: string) => {
      const node = graph?.nodes.find((item) => item.id === id);
      return node === undefined || node.kind === "service" || node.kind === "gateway";
    };
    if (cause && measured(cause.id)) ids.set(cause.id, cause);
    return await criteriaFor({
      engine: engines.metrics,
      services: [...ids.values()].map((ref) => ({
        ref,
        gateway: graph?.nodes.find(({ id }) => id === ref.id)?.kind === "gateway",
      })),
      startedAt: incident.startedAt,
      nowMs: clock.nowMs(),
      windowMs: topology.windowMinMs,
      stepMs: settings.scrapeIntervalMs,
    });
  }

  async #plan(incidentId: string, actionId: string): Promise<Action> {
    const { incident, action } = this.#find(incidentId, actionId);
    const { kube, cluster, clock, settings } = this.#context;
    const hypothesis = this.#hypothesisOf(incident, action);
    const serviceId = hypothesis?.node.id ?? action.target.id;
    const graph = await this.#graph();
    try {
      const criteria = await this.#criteria(incident, serviceId, graph);
      const planned = await makePlan(
        action,
        { change: hypothesis?.change ?? null, serviceId },
        criteria,
        { kube, cluster, graph, nowMs: clock.nowMs(), expiryMs: settings.planExpiryMs },
      );
      const at = clock.nowMs();
      await this.#ledger.append({ type: "action-planned", at, incidentId, actionId, planned });
    } catch (error) {
      await this.#close(action, "failed", machine, `It cannot be planned: ${messageOf(error)}`);
    }
    return this.#find(incidentId, actionId).action;
  }

  /** Plans anew: after the plan expired or was refused because the object had moved. */
  async plan(incidentId: string, actionId: string): Promise<Action> {
    return await this.#exclusively(actionId, async () => {
      const { action } = this.#find(incidentId, actionId);
      if (action.startedAt !== null) conflict(`${action.title}: it was carried out already`);
      return await this.#plan(incidentId, actionId);
    });
  }

  async refuse(incidentId: string, actionId: string, by: string): Promise<Action> {
    return await this.#exclusively(actionId, async () => {
      const { action } = this.#find(incidentId, actionId);
      if (isClosed(action.state) || isInFlight(action.state))
        conflict(`${action.title} is ${action.state}: there is nothing to refuse`);
      await this.#close(action, "refused", by, "Refused by a person.");
      return this.#find(incidentId, actionId).action;
    });
  }

  /** `confirm` must be the target's name. Answers when the write is done; verifying goes on by itself. */
  async approve(
    incidentId: string,
    actionId: string,
    approval: { readonly by: string; readonly confirm: string },
  ): Promise<Action> {
    return await this.#exclusively(actionId, async () => {
      const { action } = this.#find(incidentId, actionId);
      if (action.state !== "awaiting-approval" || !action.plan)
        conflict(`${action.title} is ${action.state}: only a planned action can be approved`);
      if (approval.confirm !== action.target.name)
        throw new SkoposError(
          "confirm-mismatch",
          `to approve, confirm with the name of what is changed: ${action.target.name}`,
        );
      if (action.plan.expiresAt <= this.#context.clock.nowMs()) {
        await this.#close(action, "expired", machine, "The plan is too old: plan it again.");
        throw new SkoposError("expired", "the plan is too old: plan it again");
      }
      const reason = await this.#reasonAgainst(incidentId, actionId);
      if (reason !== undefined) {
        await this.#close(action, "refused", machine, reason);
        throw new SkoposError("refused", reason);
      }
      const at = this.#context.clock.nowMs();
      const by = approval.by;
      await this.#ledger.append({ type: "action-approved", at, incidentId, actionId, by });
      await this.#execute(incidentId, actionId);
      return this.#find(incidentId, actionId).action;
    });
  }

  #planned(incident: IncidentRecord, actionId: string): Planned {
    const planned = incident.planned.get(actionId);
    if (!planned) throw new SkoposError("conflict", "this action has no plan");
    return planned;
  }

  /** Everything that must hold at the moment of approval. */
  async #reasonAgainst(incidentId: string, actionId: string): Promise<string | undefined> {
    const graph = await this.#graph();
    const { incident, action } = this.#find(incidentId, actionId);
    const { cluster, clock, settings, kube } = this.#context;
    const refusal = refusalOf({
      incident,
      action,
      serviceId: this.#hypothesisOf(incident, action)?.node.id ?? action.target.id,
      incidents: [...this.#ledger.state.incidents.values()],
      settings: { ...settings, paused: this.#paused },
      store: cluster,
      graph,
      nowMs: clock.nowMs(),
    });
    if (refusal !== undefined) return refusal;
    const live = await readLive(kube, targetRef(action.target));
    return sameDesired(live, this.#planned(incident, actionId).preImage)
      ? undefined
      : `${action.target.name} was changed since the plan was made: plan it again.`;
  }

  /** Intent, write, outcome. The version written against is the live one of the same desired state. */
  async #execute(incidentId: string, actionId: string): Promise<void> {
    const { incident, action } = this.#find(incidentId, actionId);
    const { kube, clock, settings } = this.#context;
    const planned = this.#planned(incident, actionId);
    const live = await readLive(kube, targetRef(action.target));
    if (!sameDesired(live, planned.preImage)) {
      const why = `${action.target.name} was changed since the plan was made: nothing was written.`;
      await this.#close(action, "refused", machine, why);
      return;
    }
    const resourceVersion = live?.metadata.resourceVersion;
    await this.#ledger.append({
      type: "action-started",
      at: clock.nowMs(),
      incidentId,
      actionId,
      resourceVersion: resourceVersion ?? "",
      deadlineAt: clock.nowMs() + settings.verifyDeadlineMs,
    });
    await this.#write(incidentId, actionId);
  }

  async #write(incidentId: string, actionId: string): Promise<void> {
    const { incident, action } = this.#find(incidentId, actionId);
    const { write, preImage } = this.#planned(incident, actionId);
    try {
      await carryOutAgainst(this.#context.kube, write, {
        ref: targetRef(action.target),
        expected: preImage,
        dryRun: false,
      });
    } catch (error) {
      if (error instanceof SkoposError && error.code === "unreachable") {
        // It may have arrived: only the object can tell.
        await this.#settleExecution(incidentId, actionId);
        return;
      }
      await this.#close(action, "failed", machine, `Nothing was written: ${messageOf(error)}`);
      return;
    }
    const at = this.#context.clock.nowMs();
    const text = action.title;
    await this.#ledger.append({ type: "action-executed", at, incidentId, actionId, text });
  }

  /** An intent without an outcome: the live object says whether the write arrived. */
  async #settleExecution(incidentId: string, actionId: string): Promise<void> {
    const { incident, action } = this.#find(incidentId, actionId);
    const planned = this.#planned(incident, actionId);
    const live = await readLive(this.#context.kube, targetRef(action.target));
    const at = this.#context.clock.nowMs();
    if (sameDesired(live, planned.expected)) {
      const text = `${action.title} (found done after an interruption)`;
      await this.#ledger.append({ type: "action-executed", at, incidentId, actionId, text });
    } else if (sameDesired(live, planned.preImage) && at < planned.plan.expiresAt) {
      await this.#write(incidentId, actionId);
    } else {
      const why = `Interrupted, and ${action.target.name} is neither as before nor as planned: left alone.`;
      await this.#close(action, "failed", machine, why);
    }
  }

  /** A person takes an action back. */
  async undo(
    incidentId: string,
    actionId: string,
    approval: { readonly by: string; readonly confirm: string },
  ): Promise<Action> {
    return await this.#exclusively(actionId, async () => {
      const { action } = this.#find(incidentId, actionId);
      const isDone = action.state === "succeeded" || action.state === "verifying";
      if (!isDone && !(action.state === "failed" && action.startedAt !== null))
        conflict(`${action.title} is ${action.state}: there is nothing to undo`);
      if (approval.confirm !== action.target.name)
        throw new SkoposError(
          "confirm-mismatch",
          `to undo, confirm with the name of what is changed: ${action.target.name}`,
        );
      const at = this.#context.clock.nowMs();
      const { by } = approval;
      const why = "Taken back by a person.";
      await this.#ledger.append({ type: "undo-started", at, incidentId, actionId, by, why });
      await this.#putBack(incidentId, actionId);
      return this.#find(incidentId, actionId).action;
    });
  }

  /** Puts the pre-image back, unless somebody has changed the object since: their edit is not overwritten. */
  async #putBack(incidentId: string, actionId: string): Promise<void> {
    const { incident, action } = this.#find(incidentId, actionId);
    const { kube, clock } = this.#context;
    const planned = this.#planned(incident, actionId);
    const { name } = action.target;
    const finish = async (succeeded: boolean, text: string) =>
      await this.#ledger.append({
        type: "undo-finished",
        at: clock.nowMs(),
        incidentId,
        actionId,
        succeeded,
        text,
      });
    try {
      const live = await readLive(kube, targetRef(action.target));
      const write = undoWrite(planned.preImage, live);
      if (!write) {
        await finish(true, `${name} is as it was before the action.`);
        return;
      }
      if (!sameDesired(live, planned.expected)) {
        await finish(false, `${name} was changed since: not undone, so that no edit is lost.`);
        return;
      }
      await carryOutAgainst(kube, write, {
        ref: targetRef(action.target),
        expected: live,
        dryRun: false,
      });
      await finish(true, `${name} was put back as it was before the action.`);
    } catch (error) {
      if (error instanceof SkoposError && error.code === "unreachable") throw error;
      await finish(false, `It could not be undone: ${messageOf(error)}`);
    }
  }

  /** After a restart: whatever stands between two steps is taken on. */
  async resume(): Promise<void> {
    for (const incident of this.#ledger.state.incidents.values())
      for (const action of incident.actions) await this.#resumeAction(incident.id, action);
  }

  async #resumeAction(incidentId: string, action: Action): Promise<void> {
    const step = this.#stepAfterRestart(incidentId, action);
    if (!step) return;
    try {
      await this.#exclusively(action.id, step);
    } catch (error) {
      // The tick tries again; until then the action stays where it is.
      this.#context.onError(error, `taking up ${action.id}`);
    }
  }

  #stepAfterRestart(incidentId: string, action: Action): (() => Promise<void>) | undefined {
    if (action.state === "executing") return () => this.#settleExecution(incidentId, action.id);
    if (action.state === "undoing") return () => this.#putBack(incidentId, action.id);
    if (action.state === "awaiting-approval" && action.approvedBy !== null)
      return () => this.#execute(incidentId, action.id);
    return undefined;
  }

  /** Looks at what is being verified, takes up what was interrupted, lets old plans expire. */
  async tick(): Promise<void> {
    const nowMs = this.#context.clock.nowMs();
    for (const incident of this.#ledger.unresolved)
      for (const action of incident.actions) {
        if (this.#busy.has(action.id)) continue;
        if (action.state === "verifying") await this.#verify(action, nowMs);
        else if (action.state === "proposed")
          await this.#exclusively(action.id, () => this.#plan(incident.id, action.id));
        else if (action.state === "awaiting-approval" && action.approvedBy === null) {
          if (action.plan && action.plan.expiresAt <= nowMs)
            await this.#close(action, "expired", machine, "Nobody approved it in time.");
        } else await this.#resumeAction(incident.id, action);
      }
  }

  async #verify(action: Action, nowMs: number): Promise<void> {
    const { incidentId, id: actionId } = action;
    const last = this.#lookedAt.get(actionId) ?? 0;
    if (nowMs - last < this.#context.settings.scrapeIntervalMs) return;
    this.#lookedAt.set(actionId, nowMs);
    const known = this.#progress.get(actionId);
    const current = {
      ...action,
      criteria: [...(known?.criteria ?? action.criteria)],
      heldSince: known?.heldSince ?? null,
    };
    await this.#exclusively(actionId, async () => {
      const found = await judge(this.#context.engines.metrics, current, nowMs);
      this.#progress.set(actionId, found);
      this.#ledger.touch(incidentId);
      if (found.verdict === "wait") return;
      const { verdict, text } = found;
      const criteria = [...found.criteria];
      const at = this.#context.clock.nowMs();
      await this.#ledger.append({
        type: "action-judged",
        at,
        incidentId,
        actionId,
        verdict,
        text,
        criteria,
      });
      this.#progress.delete(actionId);
      this.#lookedAt.delete(actionId);
      if (verdict === "failed") await this.#putBack(incidentId, actionId);
    });
  }

  /** The trouble is over: what was proposed and not begun is not needed any more. */
  async closePending(incidentId: string): Promise<void> {
    for (const action of this.#ledger.incident(incidentId).actions)
      if (!isClosed(action.state) && !isInFlight(action.state))
        await this.#close(action, "expired", machine, "The incident is resolved.");
  }
}
