/** `/rules`, `/alerts`, `/alertmanagers`. */
import { createHash } from "node:crypto";
import { compileMatcher, LabelSet, matchesAll, SkoposError } from "@skopos/model";
import type { RuleGroupState } from "../../threads/telemetry-calls.ts";
import { timeText } from "./answer.ts";
import { all, flagOf, limitOf, one, type Parameters, selectorsOf } from "./parameters.ts";

type RuleState = RuleGroupState["rules"][number];
type AlertState = RuleState["alerts"][number];

const kinds: Readonly<Record<string, RuleState["kind"]>> = { alert: "alert", record: "record" };

export function alertsOf(groups: readonly RuleGroupState[]) {
  return groups.flatMap((group) => group.rules.flatMap((rule) => activeAlerts(rule)));
}

function activeAlerts(rule: RuleState) {
  return rule.alerts.filter(({ state }) => state !== "resolved").map(alertJson);
}

function alertJson(alert: AlertState) {
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    state: alert.state,
    activeAt: timeText(alert.activeAt),
    value: alert.value === null ? "NaN" : String(alert.value),
  };
}

/** Pages of groups: the token names the group the next page begins with. */
function tokenOf({ file, name }: RuleGroupState): string {
  return createHash("sha1").update(`${file};${name}`).digest("hex");
}

interface RuleFilter {
  readonly rule: (rule: RuleState) => boolean;
  readonly group: (group: RuleGroupState) => boolean;
}

function filterOf(parameters: Parameters): RuleFilter {
  const type = one(parameters, "type")?.toLowerCase();
  if (type !== undefined && !(type in kinds))
    throw new SkoposError("bad-request", `not supported value ${JSON.stringify(type)}`);
  const names = new Set(all(parameters, "rule_name[]"));
  const groups = new Set(all(parameters, "rule_group[]"));
  const files = new Set(all(parameters, "file[]"));
  const selectors = selectorsOf(parameters).map((matchers) => matchers.map(compileMatcher));
  return {
    group: ({ name, file }) =>
      (groups.size === 0 || groups.has(name)) && (files.size === 0 || files.has(file)),
    rule: (rule) =>
      (type === undefined || rule.kind === kinds[type]) &&
      (names.size === 0 || names.has(rule.name)) &&
      (selectors.length === 0 ||
        selectors.some((set) => matchesAll(set, LabelSet.fromMap(rule.labels)))),
  };
}

export function rulesOf(groups: readonly RuleGroupState[], parameters: Parameters): object {
  const filter = filterOf(parameters);
  const withAlerts = !flagOf(parameters, "exclude_alerts");
  const limit = limitOf(parameters, "group_limit");
  const token = one(parameters, "group_next_token");
  if (token !== undefined && limit === undefined)
    throw new SkoposError(
      "bad-request",
      "group_limit needs to be set when paginating with a token",
    );
  const wanted = groups
    .filter(filter.group)
    .map((group) => ({ group, rules: group.rules.filter(filter.rule) }))
    .filter(({ rules }) => rules.length > 0);
  const from = token === undefined ? 0 : wanted.findIndex(({ group }) => tokenOf(group) === token);
  if (from < 0)
    throw new SkoposError("bad-request", `group_next_token ${JSON.stringify(token)} is not valid`);
  const page = wanted.slice(from, limit === undefined ? undefined : from + limit);
  const next = limit === undefined ? undefined : wanted[from + limit];
  return {
    groups: page.map(({ group, rules }) => groupJson(group, rules, withAlerts)),
    ...(next && { groupNextToken: tokenOf(next.group) }),
  };
}

function groupJson(group: RuleGroupState, rules: readonly RuleState[], withAlerts: boolean) {
  return {
    name: group.name,
    file: group.file,
    rules: rules.map((rule) => ruleJson(rule, withAlerts)),
    interval: group.intervalMs / 1000,
    limit: group.limit,
    evaluationTime: (group.evaluationMs ?? 0) / 1000,
    lastEvaluation: timeText(group.lastEvaluationMs),
  };
}

function ruleJson(rule: RuleState, withAlerts: boolean) {
  const base = {
    name: rule.name,
    query: rule.query,
    ...(Object.keys(rule.labels).length > 0 && { labels: rule.labels }),
    health: rule.health,
    ...(rule.lastError === null ? {} : { lastError: rule.lastError }),
    evaluationTime: (rule.evaluationMs ?? 0) / 1000,
    lastEvaluation: timeText(rule.lastEvaluationMs),
  };
  if (rule.kind === "record") return { ...base, type: "recording" };
  const alerts = activeAlerts(rule);
  return {
    ...base,
    labels: rule.labels,
    type: "alerting",
    state: stateOf(rule, alerts),
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    annotations: rule.annotations,
    alerts: withAlerts ? alerts : [],
  };
}

function stateOf(rule: RuleState, alerts: readonly { state: string }[]): string {
  if (alerts.some(({ state }) => state === "firing")) return "firing";
  if (alerts.length > 0) return "pending";
  return rule.health === "unknown" ? "unknown" : "inactive";
}
