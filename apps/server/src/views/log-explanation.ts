/**
 * What log lines say, in sentences: which calls began to fail or to take long and by what flag, what applications began to write,
 * and what changed just before on the services in question. A service is named when the trouble begins at it: one that fails
 * because whom it calls fails is told as following.
 */
import {
  type Change,
  type EntityRef,
  entityPath,
  type LogExplanation,
  webPaths,
} from "@skopos/api";
import { flagMeaning } from "@skopos/model";
import { findRise, type Rise } from "./rise.ts";

type Statement = LogExplanation["statements"][number];
type Counts = Float64Array;

/** Access log lines by what they tell alike. */
export interface CallCounts {
  /** Who wrote the lines. */
  readonly reporter: EntityRef | null;
  /** Who was called: of requests received, the reporter. */
  readonly target: EntityRef | null;
  readonly inbound: boolean;
  /** 0: no answer. */
  readonly status: number;
  /** "" for none. */
  readonly flags: string;
  readonly counts: Counts;
}

/** Calls that took `atLeastMs` or longer. */
export interface SlowCounts {
  readonly reporter: EntityRef | null;
  readonly target: EntityRef | null;
  readonly inbound: boolean;
  readonly atLeastMs: number;
  readonly counts: Counts;
}

/** Lines of applications that are errors or warnings. */
export interface TroubleCounts {
  readonly service: EntityRef | null;
  readonly level: "error" | "warning";
  readonly counts: Counts;
}

export interface TroubleLine {
  readonly serviceId: string;
  readonly level: "error" | "warning";
  readonly timeMs: number;
  readonly message: string;
}

export interface LogFacts {
  /** Of the first bucket; the asked range begins later, after some time to compare with. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly buckets: number;
  readonly rangeStartMs: number;
  readonly endMs: number;
  readonly calls: readonly CallCounts[];
  /** The calls that these are a part of, where the query picks some. */
  readonly allCalls: readonly CallCounts[];
  readonly slow: readonly SlowCounts[];
  readonly trouble: readonly TroubleCounts[];
  readonly troubleLines: readonly TroubleLine[];
  /** Newest first. */
  readonly changes: readonly Change[];
}

const namedMax = 3;
const changesMax = 3;
const messagesMax = 2;
const changesBeforeMs = 6 * 3_600_000;

interface Finding {
  readonly kind: "error" | "slow" | "pattern";
  readonly service: EntityRef;
  readonly callers: readonly EntityRef[];
  readonly flags: string;
  readonly status: number;
  readonly level: "error" | "warning";
  readonly atLeastMs: number;
  readonly rise: Rise;
}

export function explainLogs(facts: LogFacts): Statement[] {
  const failing = failures(facts);
  const slow = slowness(facts);
  const noise = troubles(facts);
  const origins = [
    ...begins(failing, facts.calls, failing),
    ...begins(slow, facts.slow, [...slow, ...failing]),
  ];
  const blamed = new Set(origins.map(({ service }) => service.id));
  const relevant = noise.filter(({ service }) => blamed.size === 0 || blamed.has(service.id));
  const told = [
    ...best(origins.filter(({ kind }) => kind === "error")),
    ...best(origins.filter(({ kind }) => kind === "slow")),
    ...best(relevant),
  ].sort((a, b) => Number(goesOn(b.rise, facts)) - Number(goesOn(a.rise, facts)));
  const statements = told.flatMap((finding) => sentence(finding, facts));
  const following = followers([...failing, ...slow], blamed, facts);
  return [...statements, ...changesBefore(told, facts), ...following];
}

const best = (findings: readonly Finding[]) =>
  [...findings].sort((a, b) => b.rise.score - a.rise.score).slice(0, namedMax);

/** A rise that is over before the asked range begins is not of it. */
function riseOf(facts: LogFacts, events: Counts, exposure: Counts): Rise | undefined {
  const rise = findRise(events, exposure);
  if (!rise || facts.startMs + rise.to * facts.stepMs <= facts.rangeStartMs) return undefined;
  return rise;
}

function add(map: Map<string, Counts>, key: string, counts: Counts): void {
  const known = map.get(key);
  if (!known) map.set(key, counts.slice());
  else for (let i = 0; i < counts.length; i++) known[i] = (known[i] ?? 0) + (counts[i] ?? 0);
}

const sideOf = ({ target, inbound }: { target: EntityRef | null; inbound: boolean }) =>
  `${target?.id ?? ""} ${inbound}`;

/** All calls of each target, as one side saw them. */
function exposures(facts: LogFacts): ReadonlyMap<string, Counts> {
  const sums = new Map<string, Counts>();
  for (const call of facts.allCalls) add(sums, sideOf(call), call.counts);
  return sums;
}

const failed = (status: number) => status === 0 || status >= 400;

function failures(facts: LogFacts): Finding[] {
  const all = exposures(facts);
  const groups = new Map<string, { first: CallCounts; callers: Map<string, EntityRef> }>();
  const sums = new Map<string, Counts>();
  for (const call of facts.calls) {
    if (!call.target || !failed(call.status)) continue;
    const key = `${sideOf(call)} ${call.status} ${call.flags}`;
    add(sums, key, call.counts);
    const group = groups.get(key) ?? { first: call, callers: new Map() };
    if (call.reporter && !call.inbound) group.callers.set(call.reporter.id, call.reporter);
    groups.set(key, group);
  }
  const found = new Map<string, Finding>();
  for (const [key, { first, callers }] of groups) {
    const events = sums.get(key);
    const exposure = all.get(sideOf(first));
    const rise = events && exposure && riseOf(facts, events, exposure);
    if (!rise || !first.target) continue;
    const place = `${first.target.id} ${first.status} ${first.flags}`;
    // Both ends of a call write a line of the same failure.
    const other = found.get(place);
    if (other && other.rise.score >= rise.score) continue;
    const { status, flags, target: service } = first;
    const parts = { service, status, flags, callers: [...callers.values()], rise };
    found.set(place, { kind: "error", level: "error", atLeastMs: 0, ...parts });
  }
  return [...found.values()];
}

function slowness(facts: LogFacts): Finding[] {
  const all = exposures(facts);
  const sums = new Map<string, Counts>();
  const groups = new Map<string, SlowCounts>();
  for (const calls of facts.slow) {
    if (!calls.target) continue;
    const key = `${sideOf(calls)} ${calls.atLeastMs}`;
    add(sums, key, calls.counts);
    groups.set(key, calls);
  }
  const found = new Map<string, Finding>();
  for (const [key, { target, inbound, atLeastMs }] of groups) {
    const events = sums.get(key);
    const exposure = all.get(sideOf({ target, inbound }));
    const rise = events && exposure && riseOf(facts, events, exposure);
    if (!rise || !target) continue;
    const other = found.get(target.id);
    if (other && other.rise.score >= rise.score) continue;
    const parts = { service: target, atLeastMs, callers: [], rise };
    found.set(target.id, { kind: "slow", level: "warning", status: 0, flags: "", ...parts });
  }
  return [...found.values()];
}

function troubles(facts: LogFacts): Finding[] {
  const total = new Map<string, Counts>();
  for (const { counts } of facts.allCalls) add(total, "", counts);
  for (const { counts } of facts.trouble) add(total, "", counts);
  const exposure = total.get("");
  return facts.trouble.flatMap(({ service, level, counts }): Finding[] => {
    const rise = exposure && riseOf(facts, counts, exposure);
    if (!rise || !service) return [];
    const parts = { service, level, callers: [], rise };
    return [{ kind: "pattern", status: 0, flags: "", atLeastMs: 0, ...parts }];
  });
}

/** Findings at services that call none of the other services with a finding: a flag of a proxy is about whom it calls. */
function begins(
  findings: readonly Finding[],
  calls: readonly Pick<CallCounts, "reporter" | "target" | "inbound">[],
  causes: readonly Finding[],
): Finding[] {
  const bad = new Set(causes.map(({ service }) => service.id));
  const follows = new Set<string>();
  for (const { reporter, target, inbound } of calls)
    if (!inbound && reporter && target && reporter.id !== target.id && bad.has(target.id))
      follows.add(reporter.id);
  return findings.filter(({ service, flags }) => {
    const ownFlag = flags !== "" && flags.split(",").every((flag) => poolFlags.has(flag));
    return ownFlag || !follows.has(service.id);
  });
}

/** Flags by which a caller's proxy says that it did not even ask: nobody behind the callee can be why. */
const poolFlags = new Set(["UO", "UH", "NR", "NC", "UF", "RL", "UAEX", "FI", "DI"]);

const share = (events: number, exposure: number) => {
  const percent = exposure === 0 ? 0 : (100 * events) / exposure;
  if (percent === 0) return "none";
  return percent < 1 ? `${percent.toPrecision(1)} %` : `${Math.round(percent)} %`;
};

const names = (entities: readonly EntityRef[]) => entities.map(({ name }) => name).join(", ");

function sentence(finding: Finding, facts: LogFacts): Statement[] {
  const { kind, service, rise } = finding;
  const now = share(...rise.inside);
  const otherwise = share(...rise.outside);
  const base = { kind, entity: service, path: entityPath(service), ...timesOf(rise, facts) };
  if (kind === "error") {
    const { status, flags, callers } = finding;
    const answer = status === 0 ? "without an answer" : `with ${status}`;
    const why = flags === "" ? "" : ` and the flag ${flags} (${flagMeaning(flags)})`;
    const seen = callers.length === 0 ? "" : ` The proxies of ${names(callers)} say so.`;
    const text = `${now} of the requests to ${service.name} end ${answer}${why}; ${otherwise} otherwise.${seen}`;
    return [{ ...base, text }];
  }
  if (kind === "slow") {
    const text = `${now} of the requests to ${service.name} take ${finding.atLeastMs} ms or longer; ${otherwise} otherwise. Whom it calls is not as slow.`;
    return [{ ...base, text }];
  }
  const perMinute = (events: number, from: number, to: number) =>
    (events * 60_000) / Math.max(1, (to - from) * facts.stepMs);
  const rate = perMinute(rise.inside[0], rise.from, rise.to);
  const before = perMinute(rise.outside[0], 0, facts.buckets - (rise.to - rise.from));
  const what = finding.level === "error" ? "errors" : "warnings";
  const usual = before === 0 ? "none otherwise" : `${round(before)} otherwise`;
  const said = messagesOf(finding, facts);
  return [
    { ...base, text: `${service.name} writes ${round(rate)} ${what} a minute, ${usual}${said}.` },
  ];
}

const round = (value: number) => (value >= 10 ? value.toFixed(0) : value.toPrecision(2));

/** The last bucket is still being filled. */
const goesOn = ({ to }: Rise, facts: LogFacts) => to >= facts.buckets - 1;

function timesOf(rise: Rise, facts: LogFacts): Pick<Statement, "at" | "until"> {
  const { from, to } = rise;
  return {
    at: facts.startMs + from * facts.stepMs,
    until: goesOn(rise, facts) ? null : facts.startMs + to * facts.stepMs,
  };
}

/** Ids and numbers differ from line to line; what is left is what a line says. */
export function withoutIds(message: string): string {
  return message
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27,}\b|\b[0-9a-f]{16,}\b/gi, "#")
    .replaceAll(/(?<=[/=\s:#])\d+(?=[/\s,:;)\]?]|$)/g, "#");
}

function messagesOf({ service, level, rise }: Finding, facts: LogFacts): string {
  const from = facts.startMs + rise.from * facts.stepMs;
  const to = facts.startMs + rise.to * facts.stepMs;
  const counted = new Map<string, number>();
  for (const line of facts.troubleLines) {
    if (line.serviceId !== service.id || line.level !== level) continue;
    if (line.timeMs < from || line.timeMs > to) continue;
    const says = withoutIds(line.message);
    counted.set(says, (counted.get(says) ?? 0) + 1);
  }
  if (counted.size === 0) return "";
  const most = [...counted].sort(([, a], [, b]) => b - a).slice(0, messagesMax);
  return `: ${most.map(([says]) => `“${says}”`).join(", ")}`;
}

/** Changes of the services that were named, made before it began; what was made new had no traffic to harm before. */
function changesBefore(told: readonly Finding[], facts: LogFacts): Statement[] {
  // When it began is known to a bucket; traffic needs a moment to show a change.
  const latenessMs = facts.stepMs;
  const onsets = told.map(({ service, rise }) => ({
    serviceId: service.id,
    at: facts.startMs + rise.from * facts.stepMs,
  }));
  return facts.changes
    .flatMap((change) => {
      if (change.kind === "config-created") return [];
      const beforeMs = onsets
        .filter(({ serviceId }) => serviceId === change.serviceId)
        .map(({ at }) => at - change.at)
        .filter((ms) => ms >= -latenessMs && ms <= changesBeforeMs);
      return beforeMs.length === 0 ? [] : [{ change, beforeMs: Math.min(...beforeMs) }];
    })
    .slice(0, changesMax)
    .map(({ change, beforeMs }): Statement => {
      const when = beforeMs < facts.stepMs ? "Just before" : `${agoText(beforeMs)} before`;
      return {
        kind: "change",
        text: `${when}, ${changeText(change)}.`,
        at: change.at,
        until: null,
        entity: change.object,
        path: webPaths.changes({ id: change.id }),
      };
    });
}

/** Summaries of configuration begin with the object's name, those of rollouts do not. */
export function changeText({ object, summary }: Pick<Change, "object" | "summary">): string {
  const name = `${object.objectKind ?? "an object"} ${object.name}`;
  const what = summary.startsWith(`${name}: `) ? summary.slice(name.length + 2) : summary;
  return `${name} changed: ${what}`;
}

function followers(
  findings: readonly Finding[],
  blamed: ReadonlySet<string>,
  facts: LogFacts,
): Statement[] {
  const others = best(findings.filter(({ service }) => !blamed.has(service.id)));
  const services = [...new Map(others.map(({ service }) => [service.id, service])).values()];
  const [first] = others;
  if (!first || blamed.size === 0) return [];
  const one = services.length === 1;
  return [
    {
      kind: first.kind,
      text: `${names(services)} ${one ? "follows: whom it calls" : "follow: whom they call"} fails or is slow.`,
      ...timesOf(first.rise, facts),
      entity: first.service,
      path: entityPath(first.service),
    },
  ];
}

function agoText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
