/**
 * Judges an action by the services' own signals: error ratio and p95 as callers see them, against limits taken from before
 * the trouble began. They must come back and stay back. What cannot be measured is neither good nor bad.
 */
import type { Action, Criterion, EntityRef } from "@skopos/api";
import { chart, milliseconds, percent, serviceQueries, windowText } from "@skopos/mesh";
import { messageOf, type MetricEngine } from "@skopos/model";
import { median } from "../diagnose/statistics.ts";

const limits = {
  /** An error ratio is back when it is at most this much above usual. */
  errorExcess: 0.01,
  latencyFactor: 1.5,
  latencyExcessMs: 25,
} as const;
const usualMs = 10 * 60_000;
const criteriaServicesMax = 4;
const pointsMax = 200;

export interface CriteriaInput {
  readonly engine: MetricEngine;
  readonly services: readonly { readonly ref: EntityRef; readonly gateway: boolean }[];
  readonly startedAt: number;
  readonly nowMs: number;
  readonly windowMs: number;
  readonly stepMs: number;
}

async function readNumber(
  engine: MetricEngine,
  query: string,
  timeMs: number,
): Promise<number | null> {
  const { value } = await engine.instant({ query, timeMs, timeoutMs: 10_000 });
  const sample = value.type === "vector" ? value.samples[0]?.value : undefined;
  return sample === undefined || !Number.isFinite(sample) ? null : sample;
}

async function criterionOf(
  input: CriteriaInput,
  service: CriteriaInput["services"][number],
  kind: "errors" | "latency",
): Promise<Criterion | undefined> {
  const { engine, startedAt, nowMs, stepMs } = input;
  const window = windowText(input.windowMs);
  const { id, name } = service.ref;
  const query =
    kind === "errors"
      ? serviceQueries.errorRatio(id, service.gateway, window)
      : serviceQueries.callerQuantile(0.95, id, service.gateway, window);
  const endMs = startedAt - input.windowMs;
  const points = await chart(engine, query, {
    startMs: endMs - usualMs,
    endMs,
    stepMinMs: stepMs,
  });
  const values = points.flatMap(([, value]) => (value === null ? [] : [value]));
  const usual = values.length >= 3 ? median(values) : null;
  // Without a usual latency there is nothing to compare with; errors are wrong at any time.
  if (kind === "latency" && usual === null) return undefined;
  const atMost =
    kind === "errors"
      ? (usual ?? 0) + limits.errorExcess
      : Math.max((usual ?? 0) * limits.latencyFactor, (usual ?? 0) + limits.latencyExcessMs);
  const before = await readNumber(engine, query, nowMs);
  const limit = kind === "errors" ? percent(atMost) : milliseconds(atMost);
  return {
    id: `${kind}:${id}`,
    title:
      kind === "errors"
        ? `At most ${limit} of the requests to ${name} fail`
        : `19 of 20 requests to ${name} take at most ${limit}`,
    query,
    unit: kind === "errors" ? "ratio" : "ms",
    atMost,
    before,
    now: before,
    holds: before === null ? null : before <= atMost,
    points: [],
  };
}

/** Criteria of the first few services, the most important first. A signal that cannot be read is left out. */
export async function criteriaFor(input: CriteriaInput): Promise<Criterion[]> {
  const wanted = input.services
    .slice(0, criteriaServicesMax)
    .flatMap((service) => [
      criterionOf(input, service, "errors"),
      criterionOf(input, service, "latency"),
    ]);
  const found = await Promise.allSettled(wanted);
  return found.flatMap((result) =>
    result.status === "fulfilled" && result.value ? [result.value] : [],
  );
}

export interface Judgement {
  readonly criteria: readonly Criterion[];
  readonly heldSince: number | null;
  readonly verdict: "wait" | "passed" | "failed" | "inconclusive";
  readonly text: string;
}

/** Reads every criterion at `nowMs`. A query that fails reads as "not measured". */
async function readCriteria(
  engine: MetricEngine,
  criteria: readonly Criterion[],
  nowMs: number,
): Promise<Criterion[]> {
  return await Promise.all(
    criteria.map(async (criterion) => {
      let now: number | null = null;
      try {
        now = await readNumber(engine, criterion.query, nowMs);
      } catch (error) {
        // The engine being away is the same as no telemetry; the verdict says so.
        if (messageOf(error) === "") throw error;
      }
      return {
        ...criterion,
        now,
        holds: now === null ? null : now <= criterion.atMost,
        points: [...criterion.points, [nowMs, now] as [number, number | null]].slice(-pointsMax),
      };
    }),
  );
}

const seconds = (durationMs: number) => `${Math.round(durationMs / 1000)} s`;

/** One look at an action that is being verified. */
export async function judge(
  engine: MetricEngine,
  action: Action,
  nowMs: number,
): Promise<Judgement> {
  const criteria = await readCriteria(engine, action.criteria, nowMs);
  const deadline = action.deadlineAt ?? nowMs;
  const unmet = criteria.filter((criterion) => criterion.holds === false);
  const errors = criteria.filter((criterion) => criterion.id.startsWith("errors:"));
  // A latency is absent when everything fails; the error ratios must be there.
  const measured = errors.length > 0 && errors.every((criterion) => criterion.holds !== null);
  const holds = measured && unmet.length === 0;
  const heldSince = holds ? (action.heldSince ?? nowMs) : null;
  if (heldSince !== null && nowMs - heldSince >= action.holdMs)
    return {
      criteria,
      heldSince,
      verdict: "passed",
      text: `Recovered, and stayed so for ${seconds(nowMs - heldSince)}.`,
    };
  // Whoever is held when time is up may finish the hold: it recovered, if late.
  if (nowMs < deadline || (heldSince !== null && nowMs < deadline + action.holdMs))
    return { criteria, heldSince, verdict: "wait", text: "" };
  if (unmet.length > 0)
    return {
      criteria,
      heldSince,
      verdict: "failed",
      text: `Did not help in time: ${unmet.map(describe).join("; ")}.`,
    };
  return {
    criteria,
    heldSince,
    verdict: "inconclusive",
    text: "Cannot be judged: there is no traffic, or no fresh telemetry, to judge it by.",
  };
}

function describe(criterion: Criterion): string {
  const shown =
    criterion.now === null
      ? "not measured"
      : criterion.unit === "ms"
        ? milliseconds(criterion.now)
        : percent(criterion.now);
  return `${criterion.title}, but it is ${shown}`;
}
