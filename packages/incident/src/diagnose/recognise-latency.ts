/** Waiting that begins at a node itself, and what the node waits for. */
import { webPaths } from "@skopos/api";
import { milliseconds } from "@skopos/mesh";
import type { Mechanism } from "@skopos/model";
import { loweredPools, suspectChange } from "./changes.ts";
import {
  edgeQuery,
  latencyQuery,
  logSupport,
  metricEvidence,
  nameOf,
  nodeWho,
  objection,
} from "./evidence.ts";
import { cpuPressure, memoryPressure, missingReplicas } from "./resources.ts";
import type { Finding, Scene, Support } from "./scene.ts";
import { incomingOf, outgoingOf } from "./signals.ts";
import type { OperationShift } from "./spans.ts";
import { combine, shiftOf, sumOf } from "./statistics.ts";
import { weights } from "./weights.ts";

const shareMin = 0.2;
const nodesMax = 3;
const surgeFactor = 1.6;

function ownLatency(scene: Scene, node: string, share: number): Support {
  const incoming = incomingOf(scene.signals, node);
  const series = combine(
    sumOf(incoming.map((edge) => edge.work.destination)),
    sumOf(incoming.map((edge) => edge.requests.destination)),
    (work, requests) => work / requests,
  );
  const shift = shiftOf(series, scene.windows);
  const figures = shift
    ? `: ${milliseconds(shift.now)} on average, usually ${milliseconds(shift.before)}`
    : "";
  return metricEvidence(
    scene,
    {
      id: `own-latency:${node}`,
      statement: `${nameOf(node)} itself has become slow${figures}; what it calls does not explain it`,
      query: latencyQuery(nodeWho(node), "destination", scene.signals.window),
      unit: "ms",
      series,
      shift,
    },
    weights.ownLatency * Math.sqrt(share),
  );
}

function spanSupport(operation: OperationShift, statement: string, weight: number): Support {
  return {
    weight,
    evidence: {
      kind: "trace",
      id: `span:${operation.service}:${operation.name}`,
      statement,
      weight,
      link: webPaths.trace(operation.example.traceId),
      traceId: operation.example.traceId,
      spanName: operation.name,
      service: operation.service,
      durationMs: operation.example.durationMs,
      usualMs: operation.usualMs,
    },
  };
}

const usually = (operation: OperationShift) =>
  operation.usualMs === null ? "" : `, usually ${milliseconds(operation.usualMs)}`;

/** Requests into the node against usual. */
function surge(scene: Scene, node: string): Support | undefined {
  const incoming = incomingOf(scene.signals, node);
  const requests = sumOf(incoming.map((edge) => edge.requests.source));
  const shift = shiftOf(requests, scene.windows);
  const edge = incoming[0];
  if (!edge || !shift || shift.before <= 0 || shift.now < surgeFactor * shift.before)
    return undefined;
  return metricEvidence(
    scene,
    {
      id: `surge:${node}`,
      statement: `${nameOf(node)} receives ${shift.now.toFixed(1)} requests a second, usually ${shift.before.toFixed(1)}`,
      query: edgeQuery(edge, "requests", scene.signals.window),
      unit: "per-second",
      series: requests,
      shift,
    },
    weights.surge,
  );
}

interface Look {
  readonly scene: Scene;
  readonly node: string;
  readonly base: readonly Support[];
  readonly largest: OperationShift | undefined;
}

/** The node waits for connections of its own pool: spans say so, or a change that made the pool smaller. */
export function poolFinding(
  scene: Scene,
  node: string,
  base: readonly Support[],
): Finding | undefined {
  const largest = scene.spans.get(node)?.own[0];
  const waits = largest?.isWait === true && largest.excessMs > 0;
  const suspect = suspectChange(scene, node, "client-pool-exhausted");
  const lowered = suspect ? loweredPools(suspect.record) : [];
  if (!waits && lowered.length === 0) return undefined;
  const name = nameOf(node);
  const support = [...base];
  if (waits)
    support.push(
      spanSupport(
        largest,
        `Requests wait ${milliseconds(largest.nowMs)} in ${largest.name} of ${name}${usually(largest)}, before the call itself`,
        weights.waitSpans,
      ),
    );
  if (suspect && (lowered.length > 0 || waits)) support.push(suspect.support);
  const dependency = outgoingOf(scene.signals, node).find((edge) => edge.isTcp)?.target;
  const where = dependency ? ` to ${nameOf(dependency)}` : "";
  return {
    node,
    mechanism: "client-pool-exhausted",
    detail: `it waits for a connection${where} from its own pool${lowered.length > 0 ? ` (${lowered.join(", ")})` : ""}`,
    support,
    against: [],
    change: suspect?.record,
  };
}

/** The service's own calls take longer while it does not: the dependency behind, which has no proxy to report. */
function dependencyFinding(look: Look): Finding | undefined {
  const { scene, node, largest } = look;
  if (!largest || largest.isWait || largest.kind !== "client" || largest.excessMs <= 0)
    return undefined;
  const silent = outgoingOf(scene.signals, node).filter((edge) => edge.isTcp);
  const target = silent[0]?.target;
  if (target === undefined || silent.length !== 1) return undefined;
  const pressure = cpuPressure(scene, target);
  const rollout = suspectChange(scene, target, "slow-rollout");
  return {
    node: target,
    mechanism: pressure.atLimit ? "cpu-saturation" : rollout ? "slow-rollout" : "own-latency",
    detail: `calls to it from ${nameOf(node)} take longer`,
    support: [
      spanSupport(
        largest,
        `Calls ${largest.name} from ${nameOf(node)} take ${milliseconds(largest.nowMs)}${usually(largest)}`,
        weights.waitSpans,
      ),
      ...(pressure.atLimit ? [pressure.atLimit] : pressure.grew ? [pressure.grew] : []),
      ...(rollout ? [rollout.support] : []),
    ],
    against: [],
    change: rollout?.record,
  };
}

function resourceFindings(look: Look): Finding[] {
  const { scene, node, base } = look;
  const name = nameOf(node);
  const findings: Finding[] = [];
  const rolled = suspectChange(scene, node, "slow-rollout");
  const add = (mechanism: Mechanism, detail: string, extra: readonly Support[]) => {
    const suspect = suspectChange(scene, node, mechanism);
    // A rollout that says nothing of the resource speaks for "slow-rollout" instead.
    const blamed =
      suspect && (suspect.speaks || mechanism === "too-few-replicas") ? suspect : undefined;
    findings.push({
      node,
      mechanism,
      detail,
      support: [...base, ...extra, ...(blamed ? [blamed.support] : [])],
      against:
        rolled && !blamed
          ? [objection(scene, node, "A rollout right before made it need more: that explains more")]
          : [],
      change: blamed?.record,
    });
  };
  const cpu = cpuPressure(scene, node);
  const more = surge(scene, node);
  if (cpu.atLimit) add("cpu-saturation", "it has too little CPU", [cpu.atLimit]);
  const memory = memoryPressure(scene, node);
  if (memory) add("memory-pressure", "it runs out of memory", [memory]);
  const missing = missingReplicas(scene, node);
  const scaled = suspectChange(scene, node, "too-few-replicas");
  if (scaled || missing)
    add("too-few-replicas", "too few replicas share its load", missing ? [missing] : []);
  if (more) add("traffic-surge", `${name} gets more requests than usual`, [more]);
  return findings;
}

function findingsAt(scene: Scene, node: string, share: number): Finding[] {
  const base = [ownLatency(scene, node, share), ...logSupport(scene, node)];
  const largest = scene.spans.get(node)?.own[0];
  const look: Look = { scene, node, base, largest };
  const slow = suspectChange(scene, node, "slow-rollout");
  const findings: Finding[] = [];
  const pool = poolFinding(scene, node, base);
  if (pool) findings.push(pool);
  const dependency = dependencyFinding(look);
  if (dependency) findings.push(dependency);
  findings.push(...resourceFindings(look));
  const works = largest && !largest.isWait && largest.kind !== "client" ? largest : undefined;
  if (slow) {
    const cpu = cpuPressure(scene, node).grew;
    const spans =
      works && works.excessMs > 0
        ? [
            spanSupport(
              works,
              `${works.name} of ${nameOf(node)} itself takes ${milliseconds(works.nowMs)}${usually(works)}`,
              weights.ownSpans,
            ),
          ]
        : [];
    findings.push({
      node,
      mechanism: "slow-rollout",
      detail: "it takes longer by itself",
      support: [...base, slow.support, ...spans, ...(cpu ? [cpu] : [])],
      against: pool
        ? [
            objection(
              scene,
              node,
              "It waits rather than works: its connection pool explains the same better",
            ),
          ]
        : [],
      change: slow.record,
    });
  }
  findings.push({
    node,
    mechanism: "own-latency",
    detail: "it takes longer by itself",
    support: base,
    against:
      findings.length > 0
        ? [objection(scene, node, "Something specific explains the same waiting better")]
        : [],
    change: undefined,
  });
  return findings;
}

export function recogniseOwnLatency(scene: Scene): Finding[] {
  if (scene.excessWork <= 0) return [];
  const gaps = gapWork(scene).reduce((sum, { excess }) => sum + excess, 0);
  const own = scene.ownWork.filter((ranked) => ranked.own > 0);
  const total = own.reduce((sum, ranked) => sum + ranked.own, 0) + gaps;
  return own
    .map((ranked) => ({ node: ranked.node, share: ranked.own / Math.max(total, 1e-9) }))
    .filter(({ share }) => share >= shareMin)
    .slice(0, nodesMax)
    .flatMap(({ node, share }) => findingsAt(scene, node, share));
}

/** Waiting per second that callers see and destinations do not, by edge. */
function gapWork(scene: Scene) {
  return [...scene.signals.edges.values()].flatMap((edge) => {
    if (edge.isTcp || edge.work.destination.times.length === 0) return [];
    const gap = combine(edge.work.source, edge.work.destination, (a, b) => a - b);
    const shift = shiftOf(gap, scene.windows);
    return shift && shift.excess > 0 ? [{ edge, gap, shift, excess: shift.excess }] : [];
  });
}

/** Time lost between the proxies: injected, queued for a connection, or in the network. */
export function recogniseGap(scene: Scene): Finding[] {
  const gaps = gapWork(scene).sort((a, b) => b.excess - a.excess);
  const own = scene.ownWork.reduce((sum, ranked) => sum + Math.max(0, ranked.own), 0);
  const total = own + gaps.reduce((sum, { excess }) => sum + excess, 0);
  const byTarget = new Map<string, typeof gaps>();
  for (const gap of gaps)
    byTarget.set(gap.edge.target, [...(byTarget.get(gap.edge.target) ?? []), gap]);
  const findings: Finding[] = [];
  for (const [node, list] of byTarget) {
    const excess = list.reduce((sum, gap) => sum + gap.excess, 0);
    const share = excess / Math.max(total, 1e-9);
    const [first] = list;
    if (!first || share < shareMin) continue;
    const series = combine(
      first.gap,
      first.edge.requests.source,
      (work, requests) => work / requests,
    );
    const shift = shiftOf(series, scene.windows);
    const source = nameOf(first.edge.source);
    const statement = `Between ${source} and ${nameOf(node)} ${shift ? `${milliseconds(shift.now)} per request are` : "time is"} lost that ${nameOf(node)} does not spend${shift ? `, usually ${milliseconds(Math.max(0, shift.before))}` : ""}`;
    const support = metricEvidence(
      scene,
      {
        id: `gap:${first.edge.id}`,
        statement,
        query: latencyQuery(nodeWho(node), "source", scene.signals.window),
        unit: "ms",
        series,
        shift,
      },
      weights.gap * Math.sqrt(share),
    );
    const injected = suspectChange(scene, node, "fault-injected");
    const pool = suspectChange(scene, node, "connection-pool-overflow");
    const mechanism: Mechanism = injected?.speaks
      ? "fault-injected"
      : pool?.speaks
        ? "connection-pool-overflow"
        : "network-delay";
    const suspect =
      mechanism === "fault-injected"
        ? injected
        : mechanism === "connection-pool-overflow"
          ? pool
          : undefined;
    findings.push({
      node,
      mechanism,
      detail:
        mechanism === "fault-injected"
          ? "a delay is injected on purpose"
          : mechanism === "connection-pool-overflow"
            ? "requests queue for a connection"
            : "time is lost on the way",
      support: [support, ...(suspect ? [suspect.support] : [])],
      against: [],
      change: suspect?.record,
    });
  }
  return findings;
}
