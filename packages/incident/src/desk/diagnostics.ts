/**
 * Keeps every open incident explained: diagnoses within a tick of its opening, again while the answer still moves or alerts
 * join, and not while an action is under way. Only news become events.
 */
import type { Diagnosis, Graph } from "@skopos/api";
import { serviceNodes } from "@skopos/mesh";
import { serviceOfAlert } from "../correlate.ts";
import { diagnose } from "../diagnose/diagnose.ts";
import type { Ledger } from "./ledger.ts";
import type { DeskContext } from "./options.ts";
import { sliceOf } from "./slice.ts";
import { type IncidentRecord, isInFlight } from "./state.ts";

/** Answers in a row that say the same before an explained incident is left alone. */
const settledAfter = 4;
const confidenceStep = 0.1;
/** An explained incident is still looked at this often: causes come clearer, alerts join. */
const settledEveryMs = 60_000;
/** After this many answers to one incident only another cause is news: a long incident must not fill the log. */
const answersMax = 20;

interface Watch {
  nextMs: number;
  alertCount: number;
  sameInARow: number;
  answers: number;
  running: boolean;
}

/** Whether people would want to know: another cause, surer or less sure, another change blamed. */
function isNews(
  before: Diagnosis,
  after: Pick<Diagnosis, "state" | "hypotheses">,
  onlyCause = false,
): boolean {
  const [old] = before.hypotheses;
  const [first] = after.hypotheses;
  if (before.state !== after.state || old?.id !== first?.id) return true;
  if (!old || !first) return false;
  if (old.change?.id !== first.change?.id) return true;
  if (onlyCause) return false;
  return (
    Math.abs(old.confidence - first.confidence) >= confidenceStep ||
    old.evidence.length !== first.evidence.length
  );
}

export class Diagnostics {
  readonly #context: DeskContext;
  readonly #ledger: Ledger;
  readonly #watches = new Map<string, Watch>();
  readonly #running = new Set<Promise<void>>();
  readonly #onDiagnosed: (incidentId: string) => Promise<void>;

  constructor(
    context: DeskContext,
    ledger: Ledger,
    onDiagnosed: (incidentId: string) => Promise<void>,
  ) {
    this.#context = context;
    this.#ledger = ledger;
    this.#onDiagnosed = onDiagnosed;
  }

  /** Starts what is due; does not wait for it. */
  tick(): void {
    const nowMs = this.#context.clock.nowMs();
    const open = this.#ledger.unresolved;
    const ids = new Set(open.map(({ id }) => id));
    for (const id of this.#watches.keys()) if (!ids.has(id)) this.#watches.delete(id);
    for (const incident of open) {
      const watch = this.#watches.get(incident.id) ?? {
        nextMs: nowMs,
        alertCount: incident.alerts.length,
        sameInARow: 0,
        answers: 0,
        running: false,
      };
      this.#watches.set(incident.id, watch);
      if (watch.alertCount !== incident.alerts.length) {
        watch.alertCount = incident.alerts.length;
        watch.sameInARow = 0;
        watch.nextMs = nowMs;
      }
      const acts = incident.actions.some(({ state }) => isInFlight(state));
      if (watch.running || acts || watch.nextMs > nowMs) continue;
      watch.running = true;
      const run = this.#look(incident, watch).finally(() => {
        watch.running = false;
        this.#running.delete(run);
      });
      this.#running.add(run);
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #look(incident: IncidentRecord, watch: Watch): Promise<void> {
    const { clock, settings } = this.#context;
    try {
      const changed = await this.#diagnoseOnce(incident, watch.answers >= answersMax);
      if (changed) watch.answers++;
      watch.sameInARow = changed ? 0 : watch.sameInARow + 1;
    } catch (error) {
      this.#context.onError(error, `diagnosing ${incident.id}`);
    }
    const settled = watch.sameInARow >= settledAfter || watch.answers >= answersMax;
    watch.nextMs = clock.nowMs() + (settled ? settledEveryMs : settings.diagnoseEveryMs);
  }

  /** Whether the answer was news. */
  async #diagnoseOnce(incident: IncidentRecord, onlyCause: boolean): Promise<boolean> {
    const { clock, engines, cluster, topology, settings } = this.#context;
    const startedMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const windowMs = topology.windowMinMs;
    const alertedAt = Math.min(...incident.alerts.map(({ activeAt }) => activeAt));
    const services = serviceNodes(cluster);
    const alerting = [
      ...new Set(
        incident.alerts.flatMap(({ labels }) => serviceOfAlert(labels, services)?.id ?? []),
      ),
    ];
    const [graph, before] = await Promise.all([
      topology.graph({ timeMs: nowMs, windowMs }),
      topology
        .graph({ timeMs: alertedAt - windowMs - 30_000, windowMs })
        .catch((): Graph | undefined => undefined),
    ]);
    const found = await diagnose({
      engines,
      cluster,
      graph: mergeGraphs(graph, before),
      alerting,
      alertedAt,
      nowMs,
      scrapeIntervalMs: settings.scrapeIntervalMs,
      windowMs,
      lookbackMs: settings.lookbackMs,
      excluded: this.#otherIncidents(incident, windowMs),
      claimed: this.#claimedByOthers(incident),
      previous: incident.diagnosis,
    });
    const current = this.#ledger.incident(incident.id);
    const stale =
      current.state === "resolved" || current.actions.some(({ state }) => isInFlight(state));
    if (stale) return false;
    if (!isNews(current.diagnosis, found.diagnosis, onlyCause)) {
      // What the answer calls for may still be missing: a restart can fall between the two.
      await this.#onDiagnosed(incident.id);
      return false;
    }
    const [first] = found.diagnosis.hypotheses;
    const explained = found.diagnosis.state === "explained" && first !== undefined;
    await this.#ledger.append({
      type: "diagnosed",
      at: clock.nowMs(),
      incidentId: incident.id,
      diagnosis: {
        ...found.diagnosis,
        at: nowMs,
        tookMs: clock.monotonicMs() - startedMs,
      },
      title: explained ? first.title : current.title,
      startedAt: Math.min(found.onsetMs, alertedAt),
      slice: sliceOf(graph, before, explained ? first.node.id : undefined, alerting),
    });
    await this.#onDiagnosed(incident.id);
    return true;
  }

  /** Where other open incidents begin. One that shares the origin claims nothing. */
  #claimedByOthers(incident: IncidentRecord): Set<string> {
    return new Set(
      this.#ledger.unresolved
        .filter(({ id }) => id !== incident.id)
        .flatMap(({ roots }) => roots)
        .filter((root) => !incident.roots.includes(root)),
    );
  }

  #otherIncidents(incident: IncidentRecord, windowMs: number) {
    const nowMs = this.#context.clock.nowMs();
    return [...this.#ledger.state.incidents.values()]
      .filter((other) => other.id !== incident.id && other.startedAt < incident.detectedAt)
      .map((other) => ({
        startMs: other.startedAt - windowMs,
        endMs: Math.min(other.resolvedAt ?? nowMs, incident.startedAt - windowMs),
      }))
      .filter(({ startMs, endMs }) => endMs > startMs);
  }
}

/** Edges of both moments: whoever is not called any more is still part of the picture. */
function mergeGraphs(now: Graph, before: Graph | undefined): Graph {
  if (!before) return now;
  const known = new Set(now.edges.map(({ id }) => id));
  return { ...now, edges: [...now.edges, ...before.edges.filter(({ id }) => !known.has(id))] };
}
