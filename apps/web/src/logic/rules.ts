/** Rules and their groups as `/api/v1/rules` tells them, as rows of tables. */
import { matchesWords } from "./offers.ts";

export const ruleStates = ["failing", "firing", "pending", "quiet", "recording"] as const;
/** "failing" is a rule that cannot be evaluated, whatever it would say. */
export type RuleState = (typeof ruleStates)[number];

export interface WireRule {
  readonly name: string;
  readonly query: string;
  readonly type: "alerting" | "recording";
  readonly state?: string | undefined;
  readonly health: string;
  readonly lastError?: string | undefined;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

export interface WireGroup {
  readonly name: string;
  readonly file: string;
  readonly interval: number;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
  readonly rules: readonly WireRule[];
}

export interface RuleRow {
  readonly key: string;
  readonly name: string;
  readonly query: string;
  readonly group: string;
  readonly state: RuleState;
  readonly error: string;
  readonly tookMs: number;
  /** `null` before the first evaluation. */
  readonly evaluatedAt: number | null;
}

export interface GroupRow {
  readonly key: string;
  readonly name: string;
  readonly file: string;
  readonly rules: number;
  readonly failing: number;
  readonly intervalMs: number;
  readonly tookMs: number;
  /** Of the interval; at 1 evaluations begin to fall out. */
  readonly load: number;
  readonly evaluatedAt: number | null;
}

/** Never evaluated is written as the year 1. */
function momentOf(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

function stateOf({ type, state, health }: WireRule): RuleState {
  if (health === "err") return "failing";
  if (type === "recording") return "recording";
  return state === "firing" || state === "pending" ? state : "quiet";
}

export function ruleRows(groups: readonly WireGroup[]): RuleRow[] {
  return groups.flatMap((group) =>
    group.rules.map((rule, at) => ({
      key: `${group.file} ${group.name} ${at}`,
      name: rule.name,
      query: rule.query,
      group: group.name,
      state: stateOf(rule),
      error: rule.lastError ?? "",
      tookMs: rule.evaluationTime * 1000,
      evaluatedAt: momentOf(rule.lastEvaluation),
    })),
  );
}

export function groupRows(groups: readonly WireGroup[]): GroupRow[] {
  return groups.map((group) => ({
    key: `${group.file} ${group.name}`,
    name: group.name,
    file: group.file,
    rules: group.rules.length,
    failing: group.rules.filter(({ health }) => health === "err").length,
    intervalMs: group.interval * 1000,
    tookMs: group.evaluationTime * 1000,
    load: group.interval > 0 ? group.evaluationTime / group.interval : 0,
    evaluatedAt: momentOf(group.lastEvaluation),
  }));
}

export function readRuleState(text: string | null): RuleState | null {
  return ruleStates.find((state) => state === text) ?? null;
}

export function filterRules(
  rows: readonly RuleRow[],
  words: string,
  state: RuleState | null,
): RuleRow[] {
  const wanted = words.trim();
  return rows.filter(
    (row) =>
      (state === null || row.state === state) &&
      (wanted === "" || matchesWords(`${row.name} ${row.group} ${row.query} ${row.error}`, wanted)),
  );
}
