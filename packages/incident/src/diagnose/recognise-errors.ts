/** Failures that begin at a node itself: its own proxy reports them, and what it calls does not explain them. */
import { webPaths } from "@skopos/api";
import { percent } from "@skopos/mesh";
import { suspectChange } from "./changes.ts";
import { logSupport, metricEvidence, nameOf, nodeWho, objection } from "./evidence.ts";
import { poolFinding } from "./recognise-latency.ts";
import { endingContainers, memoryPressure } from "./resources.ts";
import type { Finding, Scene, Support } from "./scene.ts";
import { incomingOf } from "./signals.ts";
import { between, mean, shiftOf, sumOf } from "./statistics.ts";
import { weights } from "./weights.ts";

const shareMin = 0.2;
const nodesMax = 3;

/** Failures of one revision against those of the others. */
function revisionContrast(scene: Scene, node: string): Support | undefined {
  const revisions = scene.signals.nodes.get(node)?.revisions;
  if (!revisions || revisions.size < 2) return undefined;
  const { startMs, endMs } = scene.windows.incident;
  const ratios = [...revisions].flatMap(([revision, { requests, failures }]) => {
    const asked = between(requests, startMs, endMs);
    if (asked.length === 0) return [];
    const failed = between(failures, startMs, endMs);
    const ratio = failed.length === 0 ? 0 : mean(failed) / mean(asked);
    return [{ revision, ratio, failures }];
  });
  const sorted = ratios.sort((a, b) => b.ratio - a.ratio);
  const [worst, next] = sorted;
  if (!worst || !next || worst.ratio < 0.02 || next.ratio > worst.ratio / 4) return undefined;
  return metricEvidence(
    scene,
    {
      id: `revision:${node}`,
      statement: `Revision ${worst.revision} of ${nameOf(node)} fails ${percent(worst.ratio)} of its requests, ${next.revision} ${percent(next.ratio)}`,
      query: `sum by (destination_canonical_revision) (rate(istio_requests_total{reporter="destination", ${nodeWho(node)}, response_code=~"5.."}[${scene.signals.window}]))`,
      unit: "per-second",
      series: worst.failures,
      shift: shiftOf(worst.failures, scene.windows),
    },
    weights.revisionContrast,
  );
}

function originSupport(scene: Scene, node: string): Support[] {
  const origin = scene.spans.get(node)?.errorOrigin;
  const name = nameOf(node);
  if (!origin || !(origin.service === name || origin.service.startsWith(`${name}.`))) return [];
  const weight = weights.ownSpans * origin.share;
  return [
    {
      weight,
      evidence: {
        kind: "trace",
        id: `origin:${node}`,
        statement: `Failing requests fail first in ${origin.name} of ${name}`,
        weight,
        link: webPaths.trace(origin.traceId),
        traceId: origin.traceId,
        spanName: origin.name,
        service: origin.service,
        durationMs: origin.durationMs,
        usualMs: null,
      },
    },
  ];
}

function findingsAt(scene: Scene, node: string, share: number): Finding[] {
  const failures = sumOf(incomingOf(scene.signals, node).map((edge) => edge.failures.destination));
  const shift = shiftOf(failures, scene.windows);
  const weight = weights.ownFailures * Math.sqrt(share);
  const name = nameOf(node);
  const own = metricEvidence(
    scene,
    {
      id: `own-failures:${node}`,
      statement: `${name} itself fails requests; what it calls does not explain them`,
      query: `sum by (response_code) (rate(istio_requests_total{reporter="destination", ${nodeWho(node)}, response_code=~"5..|0|4.."}[${scene.signals.window}]))`,
      unit: "per-second",
      series: failures,
      shift,
    },
    weight,
  );
  const contrast = revisionContrast(scene, node);
  const shared = [own, ...logSupport(scene, node), ...originSupport(scene, node)];
  const detail = `it fails them by itself`;
  const findings: Finding[] = [];
  const rollout = suspectChange(scene, node, "bad-rollout");
  // Whoever waits too long for a connection fails: the pool is behind both, the waiting and the failing.
  const pool = poolFinding(scene, node, shared);
  if (pool) findings.push(pool);
  const ending = endingContainers(scene, node);
  const memory = memoryPressure(scene, node);
  if (rollout)
    findings.push({
      node,
      mechanism: "bad-rollout",
      detail,
      support: [...shared, rollout.support, ...(contrast ? [contrast] : [])],
      against: pool
        ? [objection(scene, node, "It fails because it waits: its connection pool explains both")]
        : [],
      change: rollout.record,
    });
  if (ending) {
    const suspect = suspectChange(scene, node, "crash-loop");
    findings.push({
      node,
      mechanism: "crash-loop",
      detail: "its containers keep ending",
      support: [...shared, ending, ...(suspect ? [suspect.support] : [])],
      against: [],
      change: suspect?.record,
    });
  }
  if (memory) {
    const suspect = suspectChange(scene, node, "memory-pressure");
    findings.push({
      node,
      mechanism: "memory-pressure",
      detail: "it runs out of memory",
      support: [...shared, memory, ...(suspect ? [suspect.support] : [])],
      against: [],
      change: suspect?.record,
    });
  }
  findings.push({
    node,
    mechanism: "own-errors",
    detail,
    support: [{ ...own, weight: Math.max(own.weight, weights.unexplained) }, ...shared.slice(1)],
    against:
      findings.length > 0
        ? [objection(scene, node, "Something specific explains the same failures better")]
        : [],
    change: undefined,
  });
  return findings;
}

export function recogniseOwnErrors(scene: Scene): Finding[] {
  if (scene.failuresPerSecond <= 0) return [];
  // Failures lost on the way count too: who fails a tenth beside them is not where it begins.
  const own = scene.ownFailures.filter((ranked) => ranked.own > 0);
  const total =
    own.reduce((sum, ranked) => sum + ranked.own, 0) +
    scene.lost.reduce((sum, { perSecond }) => sum + perSecond, 0);
  return own
    .map((ranked) => ({ node: ranked.node, share: ranked.own / Math.max(total, 1e-9) }))
    .filter(({ share }) => share >= shareMin)
    .slice(0, nodesMax)
    .flatMap(({ node, share }) => findingsAt(scene, node, share));
}
