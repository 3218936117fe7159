/**
 * The diagnosis of one incident: collect signals around the alerting services, find the onset, localise what is own and
 * what is inherited, let every recogniser speak, rank. Reproducible: the same measurements give the same answer.
 */
import type { Diagnosis, Graph } from "@skopos/api";
import type { ChangeRecord, ChangeQuery, ObjectStore } from "@skopos/mesh";
import type { LogEngine, MetricEngine } from "@skopos/model";
import { collectSignals } from "./collect.ts";
import { findLost, growth, rankOwn, troubleAt } from "./localise.ts";
import { findLogPattern, type LogFinding } from "./logs.ts";
import { onsetOf } from "./onset.ts";
import { rankFindings } from "./rank.ts";
import { recogniseFlags, recogniseRetries } from "./recognise-flags.ts";
import { recogniseOwnErrors } from "./recognise-errors.ts";
import { recogniseGap, recogniseOwnLatency } from "./recognise-latency.ts";
import type { Recogniser, Scene } from "./scene.ts";
import { incomingOf, outgoingOf, type Signals, windowsOf } from "./signals.ts";
import { inspectSpans, type SpanFinding, type TraceQueries } from "./spans.ts";
import { between, combine, mean, type Range, type Series, sumOf } from "./statistics.ts";

export interface DiagnosisEngines {
  readonly metrics: MetricEngine;
  readonly traces: TraceQueries;
  readonly logs: Pick<LogEngine, "query" | "labelNames">;
}

export interface DiagnosisInput {
  readonly engines: DiagnosisEngines;
  readonly cluster: ObjectStore & { changeRecords(query: ChangeQuery): ChangeRecord[] };
  readonly graph: Graph;
  /** Node ids. */
  readonly alerting: readonly string[];
  /** When the first alert's condition began. */
  readonly alertedAt: number;
  readonly nowMs: number;
  readonly scrapeIntervalMs: number;
  readonly windowMs: number;
  readonly lookbackMs: number;
  /** Stretches that other incidents disturbed: no part of "usual". */
  readonly excluded: readonly Range[];
  /** Nodes that other open incidents are about: their trouble is not this one's. */
  readonly claimed: ReadonlySet<string>;
  readonly previous: Diagnosis | undefined;
}

export interface DiagnosisResult {
  readonly diagnosis: Pick<Diagnosis, "state" | "hypotheses" | "ruledOut">;
  readonly onsetMs: number;
  readonly warnings: readonly string[];
}

const nodesMax = 80;
const suspectsInspected = 2;
const historyMinMs = 60_000;
/** How long before the onset a change is still a suspect. */
const changesBeforeMs = 30 * 60_000;

const recognisers: readonly Recogniser[] = [
  recogniseFlags,
  recogniseOwnErrors,
  recogniseOwnLatency,
  recogniseGap,
  recogniseRetries,
];

/** The alerting nodes, everything they call, and who calls them. */
function neighbourhood(graph: Graph, alerting: readonly string[]): string[] {
  const seen = new Set(alerting);
  const queue = [...alerting];
  for (let id = queue.shift(); id !== undefined && seen.size < nodesMax; id = queue.shift())
    for (const edge of graph.edges)
      if (edge.source === id && !seen.has(edge.target)) {
        seen.add(edge.target);
        queue.push(edge.target);
      }
  for (const edge of graph.edges) if (alerting.includes(edge.target)) seen.add(edge.source);
  return [...seen].filter((id) => id !== "unknown/unknown").slice(0, nodesMax);
}

interface AlertSignal {
  readonly kind: "errors" | "latency";
  readonly series: Series;
}

/** The alerting services' failures and mean latency as their callers see them. */
function alertSignals(signals: Signals, alerting: readonly string[]): AlertSignal[] {
  const edges = alerting.flatMap((id) => {
    const incoming = incomingOf(signals, id);
    return incoming.length > 0 ? incoming : outgoingOf(signals, id);
  });
  const unique = [...new Set(edges)].filter((edge) => !edge.isTcp);
  const requests = sumOf(unique.map((edge) => edge.requests.source));
  const failures = sumOf(unique.map((edge) => edge.failures.source));
  const work = sumOf(unique.map((edge) => edge.work.source));
  // Requests without a failing one beside them are requests that did not fail.
  const failed = new Map(failures.times.map((time, i) => [time, failures.values[i] ?? 0]));
  const ratio: Series = {
    times: requests.times,
    values: requests.times.map((time, i) => (failed.get(time) ?? 0) / (requests.values[i] ?? 1)),
  };
  return [
    { kind: "errors", series: ratio },
    { kind: "latency", series: combine(work, requests, (a, b) => a / b) },
  ];
}

/** Failing is worse than slow: latency is the signal only where hardly anything more fails. */
function pickSignal(list: readonly AlertSignal[], alertedAt: number): AlertSignal | undefined {
  const level = (series: Series) => {
    const before = between(series, 0, alertedAt - 60_000);
    const after = between(series, alertedAt, Number.POSITIVE_INFINITY);
    return (after.length > 0 ? mean(after) : 0) - (before.length > 0 ? mean(before) : 0);
  };
  const errors = list.find(({ kind }) => kind === "errors");
  const latency = list.find(({ kind }) => kind === "latency");
  return errors && level(errors.series) > 0.01 ? errors : latency;
}

function findOnset(signals: Signals, input: DiagnosisInput, excluded: readonly Range[]) {
  const list = alertSignals(signals, input.alerting);
  const signal = pickSignal(list, input.alertedAt);
  const isFree = (time: number) =>
    excluded.every(({ startMs, endMs }) => time < startMs || time > endMs + signals.windowMs);
  const earliest = input.alertedAt - 10 * 60_000;
  const series = signal?.series ?? { times: [], values: [] };
  const kept = series.times.flatMap((time, i) =>
    isFree(time) && time >= earliest ? [{ time, value: series.values[i] ?? 0 }] : [],
  );
  const onset = onsetOf({
    times: kept.map(({ time }) => time),
    values: kept.map(({ value }) => value),
  });
  const latest = input.alertedAt + signals.windowMs;
  return {
    onsetMs: onset === undefined || onset > latest ? input.alertedAt : onset,
    kind: signal?.kind ?? "errors",
  };
}

function buildScene(
  signals: Signals,
  input: DiagnosisInput,
  findings: {
    spans: ReadonlyMap<string, SpanFinding>;
    logs: ReadonlyMap<string, LogFinding>;
  },
): Scene {
  const { onsetMs, kind } = findOnset(signals, input, input.excluded);
  const windows = windowsOf(signals.range, onsetMs, signals.windowMs, input.excluded);
  const starts = input.alerting;
  const trouble = troubleAt(signals, windows, starts);
  const requests = sumOf([...signals.edges.values()].map((edge) => edge.requests.source));
  const historyMs = windows.normal.reduce((sum, part) => {
    const times = requests.times.filter((time) => time >= part.startMs && time <= part.endMs);
    return sum + times.length * signals.stepMs;
  }, 0);
  const isFree = ({ node }: { readonly node: string }) => !input.claimed.has(node);
  const fails = trouble.failuresPerSecond > 0.01 * trouble.requestsPerSecond;
  return {
    signals,
    windows,
    onsetMs,
    nowMs: input.nowMs,
    alerting: starts,
    store: input.cluster,
    changes: input.cluster.changeRecords({
      startMs: onsetMs - changesBeforeMs,
      endMs: input.nowMs,
    }),
    ownWork: rankOwn(signals, windows, starts, "work").filter(isFree),
    ownFailures: rankOwn(signals, windows, starts, "failures").filter(isFree),
    lost: findLost(signals, windows).filter(
      ({ edge }) => !input.claimed.has(edge.target) && isBelow(signals, starts, edge.target),
    ),
    failuresPerSecond: trouble.failuresPerSecond,
    excessWork: trouble.excessWork,
    signal: fails ? "errors" : trouble.excessWork > 0 ? kind : "none",
    spans: findings.spans,
    logs: findings.logs,
    hasLittleHistory: historyMs < historyMinMs,
  };
}

/** Whether a node can be reached from the alerting ones, themselves included. */
function isBelow(signals: Signals, starts: readonly string[], node: string): boolean {
  const seen = new Set(starts);
  const queue = [...starts];
  for (let id = queue.pop(); id !== undefined; id = queue.pop())
    for (const edge of outgoingOf(signals, id))
      if (!seen.has(edge.target)) {
        seen.add(edge.target);
        queue.push(edge.target);
      }
  return seen.has(node);
}

/** Where a closer look at spans and logs pays: the nodes with most of their own. */
function suspects(scene: Scene): string[] {
  const list = scene.signal === "errors" ? scene.ownFailures : scene.ownWork;
  return list
    .filter(({ own, share }) => own > 0 && share > 0.15)
    .slice(0, suspectsInspected)
    .map(({ node }) => node);
}

async function inspect(scene: Scene, input: DiagnosisInput, warnings: string[]) {
  const spans = new Map<string, SpanFinding>();
  const logs = new Map<string, LogFinding>();
  await Promise.all(
    suspects(scene).map(async (node) => {
      const incoming = incomingOf(scene.signals, node);
      const work = sumOf(incoming.map((edge) => edge.work.destination));
      const requests = sumOf(incoming.map((edge) => edge.requests.destination));
      const latency = combine(work, requests, (a, b) => a / b);
      const usual =
        growth(latency, scene.windows) === undefined ? [] : between(latency, 0, scene.onsetMs);
      const typical = usual.length > 0 ? usual.reduce((a, b) => a + b, 0) / usual.length : 5;
      const startMs = Math.max(scene.signals.range.startMs, scene.onsetMs - 5 * 60_000);
      const at = { startMs, onsetMs: scene.onsetMs, endMs: input.nowMs };
      const [span, log] = await Promise.all([
        inspectSpans(
          input.engines.traces,
          node,
          { ...at, slowMs: typical * 2, signal: scene.signal },
          warnings,
        ),
        findLogPattern(input.engines.logs, node, at, warnings),
      ]);
      if (span) spans.set(node, span);
      if (log) logs.set(node, log);
    }),
  );
  return { spans, logs };
}

/** Throws only when no metric could be asked at all. */
export async function diagnose(input: DiagnosisInput): Promise<DiagnosisResult> {
  const signals = await collectSignals({
    engine: input.engines.metrics,
    store: input.cluster,
    nodeIds: neighbourhood(input.graph, input.alerting),
    startMs: alignDown(
      Math.min(input.nowMs, input.alertedAt) - input.lookbackMs,
      input.scrapeIntervalMs,
    ),
    endMs: alignDown(input.nowMs, input.scrapeIntervalMs),
    stepMs: input.scrapeIntervalMs,
    windowMs: input.windowMs,
  });
  const warnings = [...signals.warnings];
  const first = buildScene(signals, input, { spans: new Map(), logs: new Map() });
  const found = await inspect(first, input, warnings);
  const scene: Scene = { ...first, spans: found.spans, logs: found.logs };
  const findings = recognisers
    .flatMap((recognise) => recognise(scene))
    .filter(({ node }) => !input.claimed.has(node));
  if (scene.hasLittleHistory)
    warnings.push("There is less than a minute of usual traffic to compare with.");
  return {
    diagnosis: rankFindings(findings, scene, input.previous),
    onsetMs: scene.onsetMs,
    warnings,
  };
}

const alignDown = (timeMs: number, stepMs: number) => Math.floor(timeMs / stepMs) * stepMs;
