/** `/targets` and what belongs to it: metadata by target, scrape pools, relabelling step by step. */
import { compileRelabeling, type ScrapeJob } from "@skopos/ingest";
import {
  compileMatcher,
  type LabelMap,
  LabelSet,
  matchesAll,
  formatDuration,
  SkoposError,
} from "@skopos/model";
import { parseSelector } from "@skopos/promql/syntax";
import type {
  DroppedTargets,
  TargetMetadata,
  TargetStatus,
} from "../../threads/telemetry-calls.ts";
import { timeText } from "./answer.ts";
import { limitOf, one, type Parameters, required } from "./parameters.ts";

export function targetsOf(
  active: readonly TargetStatus[],
  dropped: DroppedTargets,
  parameters: Parameters,
): object {
  const state = one(parameters, "state")?.toLowerCase() ?? "any";
  const pool = one(parameters, "scrapePool");
  const ofPool = ({ job }: { readonly job: string }) => pool === undefined || job === pool;
  const showActive = state !== "dropped";
  const showDropped = state === "any" || state === "dropped";
  return {
    activeTargets: showActive ? active.filter(ofPool).map(targetJson) : [],
    droppedTargets: showDropped
      ? dropped.targets
          .filter(ofPool)
          .map(({ job, discoveredLabels }) => ({ discoveredLabels, scrapePool: job }))
      : [],
    droppedTargetCounts: showDropped
      ? Object.fromEntries(
          Object.entries(dropped.counts).filter(([job]) => pool === undefined || job === pool),
        )
      : {},
  };
}

function targetJson(target: TargetStatus) {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.job,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: target.lastError,
    lastScrape: timeText(target.lastScrapeMs),
    lastScrapeDuration: target.durationMs === null ? 0 : target.durationMs / 1000,
    health: target.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}

export function targetMetadataOf(
  metadata: readonly TargetMetadata[],
  parameters: Parameters,
): object[] {
  const selector = one(parameters, "match_target");
  const matchers = selector === undefined ? [] : parseSelector(selector).map(compileMatcher);
  const metric = one(parameters, "metric");
  const limit = limitOf(parameters) ?? Infinity;
  const found: object[] = [];
  for (const { target, families } of metadata) {
    if (!matchesAll(matchers, LabelSet.fromMap(target))) continue;
    for (const { name, ...about } of families) {
      if (metric !== undefined && name !== metric) continue;
      if (found.length >= limit) return found;
      found.push({ target, ...(metric === undefined && { metric: name }), ...about });
    }
  }
  return found;
}

function jobOf(jobs: readonly ScrapeJob[], name: string): ScrapeJob {
  const job = jobs.find((each) => each.name === name);
  if (!job) throw new SkoposError("not-found", `there is no scrape pool ${JSON.stringify(name)}`);
  return job;
}

/** What each relabelling rule of a pool makes of the given labels, until one drops them. */
export function relabelStepsOf(jobs: readonly ScrapeJob[], parameters: Parameters): object {
  const job = jobOf(jobs, required(parameters, "scrapePool"));
  let labels: LabelSet | undefined = LabelSet.fromMap(labelsIn(required(parameters, "labels")));
  const steps: object[] = [];
  for (const rule of job.relabel) {
    if (!labels) break;
    const before: LabelSet = labels;
    labels = compileRelabeling([rule]).apply(before);
    const shown = {
      source_labels: rule.sourceLabels,
      separator: rule.separator,
      regex: rule.regex,
      ...(rule.modulus > 0n && { modulus: Number(rule.modulus) }),
      ...(rule.targetLabel !== "" && { target_label: rule.targetLabel }),
      replacement: rule.replacement,
      action: rule.action,
    };
    steps.push({ rule: shown, output: (labels ?? before).toMap(), keep: labels !== undefined });
  }
  return { steps };
}

function labelsIn(text: string): LabelMap {
  const bad = new SkoposError("bad-request", 'labels must be a JSON object like {"job":"x"}');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad;
  const labels: Record<string, string> = {};
  for (const [name, each] of Object.entries(value)) {
    if (typeof each !== "string") throw bad;
    labels[name] = each;
  }
  return labels;
}
