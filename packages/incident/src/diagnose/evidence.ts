/** Makes evidence records: each opens the page that shows the same thing in full. */
import { type Evidence, webPaths } from "@skopos/api";
import { entityOf, type KubeObject, quoted, yamlOf } from "@skopos/mesh";
import { flagMeaning } from "@skopos/model";
import type { ChangeRecord } from "@skopos/mesh";
import type { Scene, Signal, Support } from "./scene.ts";
import type { EdgeSignals } from "./signals.ts";
import { between, quantile, shiftOf } from "./statistics.ts";
import { weights } from "./weights.ts";

const pointsMax = 120;
const excerptMax = 2000;

const rangeOf = (scene: Scene) => ({
  from: scene.onsetMs - 5 * 60_000,
  to: scene.nowMs,
});

export const nameOf = (id: string) => id.split("/")[1] ?? id;
const spaceOf = (id: string) => id.split("/")[0] ?? "";

export function metricEvidence(scene: Scene, signal: Signal, weight: number): Support {
  const { series } = signal;
  const usual = scene.windows.normal.flatMap(({ startMs, endMs }) =>
    between(series, startMs, endMs),
  );
  const points = series.times
    .map((time, i): [number, number | null] => [time, series.values[i] ?? null])
    .slice(-pointsMax);
  const evidence: Evidence = {
    kind: "metric",
    id: signal.id,
    statement: signal.statement,
    weight,
    link: webPaths.metrics(signal.query, rangeOf(scene)),
    query: signal.query,
    unit: signal.unit,
    points,
    normal: usual.length >= 3 ? { low: quantile(usual, 0.05), high: quantile(usual, 0.95) } : null,
    onsetAt: scene.onsetMs,
  };
  return { weight, evidence };
}

const edgeMatch = (edge: EdgeSignals) =>
  `source_canonical_service=${quoted(nameOf(edge.source))}, source_workload_namespace=${quoted(spaceOf(edge.source))}, destination_service_name=${quoted(edge.serviceName)}`;

export function edgeQuery(
  edge: EdgeSignals,
  what: "flags" | "requests" | "codes",
  window: string,
): string {
  const by = what === "flags" ? "response_flags" : what === "codes" ? "response_code" : "reporter";
  return `sum by (${by}) (rate(istio_requests_total{reporter="source", ${edgeMatch(edge)}}[${window}]))`;
}

/** Mean latency of an edge as one reporter sees it, or of a node's calls as it sees them itself. */
export function latencyQuery(who: string, reporter: string, window: string): string {
  const part = (suffix: string) =>
    `sum(rate(istio_request_duration_milliseconds_${suffix}{reporter="${reporter}", ${who}}[${window}]))`;
  return `${part("sum")} / ${part("count")}`;
}

export const nodeWho = (id: string) =>
  `destination_workload_namespace=${quoted(spaceOf(id))}, destination_canonical_service=${quoted(nameOf(id))}`;

export function flagsEvidence(
  scene: Scene,
  edge: EdgeSignals,
  statement: string,
  weight: number,
): Support {
  const flags = [...edge.flags].flatMap(([flag, series]) => {
    const shift = shiftOf(series, scene.windows);
    const during = between(series, scene.windows.incident.startMs, scene.windows.incident.endMs);
    const now = shift?.now ?? during.reduce((a, b) => a + b, 0) / Math.max(1, during.length);
    return now > 0
      ? [{ flag, meaning: flagMeaning(flag), now, before: shift?.before ?? null }]
      : [];
  });
  const query = edgeQuery(edge, "flags", scene.signals.window);
  return {
    weight,
    evidence: {
      kind: "flags",
      id: `flags:${edge.id}`,
      statement,
      weight,
      link: webPaths.mesh({ edge: edge.id }, rangeOf(scene)),
      edge: { kind: "edge", id: edge.id, name: `${nameOf(edge.source)} → ${nameOf(edge.target)}` },
      query,
      flags: flags.sort((a, b) => b.now - a.now),
    },
  };
}

export function changeEvidence(record: ChangeRecord, onsetMs: number, weight: number): Support {
  const seconds = Math.round((onsetMs - record.change.at) / 1000);
  const when =
    seconds >= 120
      ? `${Math.round(seconds / 60)} min before`
      : seconds >= 0
        ? `${seconds} s before`
        : "as";
  return {
    weight,
    evidence: {
      kind: "change",
      id: `change:${record.change.id}`,
      statement: `${record.change.summary}, ${when} the trouble began`,
      weight,
      link: webPaths.changes({ id: record.change.id }),
      change: record.change,
    },
  };
}

export function configEvidence(object: KubeObject, statement: string, weight: number): Support {
  return {
    weight,
    evidence: {
      kind: "config",
      id: `config:${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`,
      statement,
      weight,
      link: webPaths.changes({ q: object.metadata.name }),
      object: entityOf(object),
      excerpt: yamlOf(object).slice(0, excerptMax),
    },
  };
}

export function topologyEvidence(
  id: string,
  statement: string,
  nodes: readonly string[],
  weight: number,
): Support {
  const first = nodes[0];
  return {
    weight,
    evidence: {
      kind: "topology",
      id,
      statement,
      weight,
      link: webPaths.mesh(first === undefined ? {} : { node: first }),
      nodes: [...nodes],
    },
  };
}

/** A log pattern of the node that is new since the onset, if one was found. */
export function logSupport(scene: Scene, node: string): Support[] {
  const found = scene.logs.get(node);
  if (!found) return [];
  return [
    {
      weight: weights.newLogPattern,
      evidence: {
        kind: "logs",
        id: `logs:${node}`,
        statement:
          found.before === 0
            ? `A log pattern that was not there before: ${found.count} lines since the trouble began`
            : `A log pattern surges: ${found.count} lines since the trouble began`,
        weight: weights.newLogPattern,
        link: webPaths.logs(found.query, { from: scene.onsetMs - 60_000, to: scene.nowMs }),
        query: found.query,
        pattern: found.pattern,
        count: found.count,
        example: found.example,
      },
    },
  ];
}

/** Something else explains the same better. */
export function objection(scene: Scene, node: string, statement: string): Support {
  const weight = weights.betterExplained;
  return {
    weight,
    evidence: {
      kind: "topology",
      id: `against:${node}`,
      statement,
      weight: -weight,
      link: webPaths.mesh({ node }, { from: scene.onsetMs - 60_000, to: scene.nowMs }),
      nodes: [node],
    },
  };
}
