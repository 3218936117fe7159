/** Incidents as the API sends them. */
import type { Action, Incident, IncidentSummary, Runbook } from "@skopos/api";
import { chart, failed, userSelector } from "@skopos/mesh";
import { fillIn, matchRunbook, type RunbookDefinition } from "../runbooks.ts";
import type { Progress } from "./action-desk.ts";
import type { DeskContext } from "./options.ts";
import type { IncidentRecord } from "./state.ts";

type Severity = IncidentSummary["severity"];
const severities: Readonly<Record<string, Severity>> = {
  critical: "critical",
  page: "critical",
  error: "critical",
  warning: "warning",
  ticket: "warning",
};

function severityOf(incident: IncidentRecord): Severity {
  const found = incident.alerts.map(({ severity }) => severities[severity] ?? "info");
  return found.includes("critical") ? "critical" : found.includes("warning") ? "warning" : "info";
}

export function summaryOf(incident: IncidentRecord): IncidentSummary {
  const [first] = incident.diagnosis.hypotheses;
  const explained = incident.diagnosis.state === "explained" && first;
  return {
    id: incident.id,
    title: incident.title,
    severity: severityOf(incident),
    state: incident.state,
    startedAt: incident.startedAt,
    detectedAt: incident.detectedAt,
    explainedAt: incident.explainedAt,
    resolvedAt: incident.resolvedAt,
    owner: incident.owner,
    cause: explained
      ? { node: first.node, mechanism: first.mechanism, confidence: first.confidence }
      : null,
    services: [...incident.services],
    alertsFiring: incident.alerts.filter(({ state }) => state === "firing").length,
  };
}

/** The action with the figures of its last look. */
export function actionView(action: Action, progress: Progress | undefined): Action {
  if (!progress || action.state !== "verifying") return action;
  return { ...action, criteria: [...progress.criteria], heldSince: progress.heldSince };
}

/** Failed requests of users since the start, and their share over time. */
export async function impactOf(
  incident: IncidentRecord,
  context: DeskContext,
): Promise<Incident["impact"]> {
  const { engines, topology, clock, settings } = context;
  const endMs = incident.resolvedAt ?? clock.nowMs();
  const windowMs = topology.windowMinMs;
  const graph = await topology.graph({ timeMs: endMs, windowMs });
  const gateways = graph.nodes.filter(({ kind }) => kind === "gateway").map(({ id }) => id);
  const users = userSelector(gateways);
  const sinceS = Math.max(Math.ceil((endMs - incident.startedAt) / 1000), windowMs / 1000);
  const window = `${Math.round(windowMs / 1000)}s`;
  const all = `sum(rate(istio_requests_total{${users}}[${window}]))`;
  const bad = `sum(rate(istio_requests_total{${users}, ${failed}}[${window}]))`;
  const one = async (query: string): Promise<number | null> => {
    const { value } = await engines.metrics.instant({ query, timeMs: endMs, timeoutMs: 10_000 });
    const sample = value.type === "vector" ? value.samples[0]?.value : undefined;
    return sample === undefined || !Number.isFinite(sample) ? null : sample;
  };
  const [failures, requests, points] = await Promise.all([
    one(`sum(increase(istio_requests_total{${users}, ${failed}}[${sinceS}s]))`),
    one(`sum(increase(istio_requests_total{${users}}[${sinceS}s]))`),
    chart(engines.metrics, `(${bad} or ${all} * 0) / (${all} > 0)`, {
      startMs: incident.startedAt - 5 * 60_000,
      endMs,
      stepMinMs: settings.scrapeIntervalMs,
    }),
  ]);
  // Requests without a failing one among them: none failed. Without requests nothing is known.
  const failedRequests = failures ?? (requests === null ? null : 0);
  return {
    failedRequests: failedRequests === null ? null : Math.round(failedRequests),
    userErrorRatio: requests && failedRequests !== null ? failedRequests / requests : null,
    userErrorPoints: points,
  };
}

type StepState = Runbook["steps"][number]["state"];

function actionStep(action: Action | undefined): { state: StepState; result: string | null } {
  if (!action) return { state: "later", result: null };
  if (action.state === "refused" || action.state === "expired")
    return { state: "skipped", result: action.outcome };
  const done = action.startedAt !== null && action.state !== "executing";
  return { state: done ? "done" : "next", result: action.title };
}

function verifyStep(action: Action | undefined): { state: StepState; result: string | null } {
  if (!action || action.startedAt === null) return { state: "later", result: null };
  const open = action.state === "executing" || action.state === "verifying";
  return { state: open ? "next" : "done", result: action.outcome };
}

function valueText(value: number, unit: string): string {
  if (unit === "ratio") return `${(value * 100).toFixed(1)} %`;
  if (unit === "ms") return `${value.toFixed(0)} ms`;
  return unit === "per-second" ? `${value.toFixed(2)} a second` : `${value}`;
}

async function checkStep(query: string, unit: string, context: DeskContext): Promise<string> {
  try {
    const timeMs = context.clock.nowMs();
    const { value } = await context.engines.metrics.instant({ query, timeMs, timeoutMs: 5000 });
    const sample = value.type === "vector" ? value.samples[0]?.value : undefined;
    return sample === undefined || Number.isNaN(sample) ? "not measured" : valueText(sample, unit);
  } catch (error) {
    context.onError(error, "reading a figure for a runbook");
    return "could not be measured";
  }
}

/** The runbook of the first hypothesis, its steps as far as they are known. */
export async function runbookView(
  incident: IncidentRecord,
  runbooks: readonly RunbookDefinition[],
  context: DeskContext,
): Promise<Runbook | null> {
  const [first] = incident.diagnosis.hypotheses;
  if (!first || incident.diagnosis.state !== "explained") return null;
  const found = matchRunbook(runbooks, first.mechanism, first.change?.kind);
  if (!found) return null;
  const action = incident.actions.findLast(({ hypothesisId }) => hypothesisId === first.id);
  const steps = await Promise.all(
    found.steps.map(async (step, i): Promise<Runbook["steps"][number]> => {
      const base = { id: `${found.id}-${i + 1}`, actionId: null };
      if ("check" in step) {
        const result = await checkStep(fillIn(step.query, first.node.id), step.unit, context);
        return { ...base, title: step.check, state: "done", result };
      }
      if ("action" in step)
        return {
          ...base,
          title: action?.title ?? "Carry out the cure",
          ...actionStep(action),
          actionId: action?.id ?? null,
        };
      if ("verify" in step) return { ...base, title: step.verify, ...verifyStep(action) };
      return { ...base, title: fillIn(step.advise, first.node.id), state: "next", result: null };
    }),
  );
  return { id: found.id, title: found.title, steps };
}
