/**
 * Relabelling as Prometheus does it: rules over a label set, each with source labels, a separator, an anchored RE2 pattern
 * and an action. Source: Prometheus configuration, `relabel_config`.
 */
import { createHash } from "node:crypto";
import { compileRegex, LabelSet } from "@skopos/model";
import { IngestError } from "../errors.ts";

export const relabelActions = [
  "replace",
  "keep",
  "drop",
  "keepequal",
  "dropequal",
  "hashmod",
  "labelmap",
  "labeldrop",
  "labelkeep",
  "lowercase",
  "uppercase",
] as const;

type RelabelAction = (typeof relabelActions)[number];

export interface RelabelRule {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly regex: string;
  readonly modulus: bigint;
  readonly targetLabel: string;
  readonly replacement: string;
}

export const relabelDefaults: RelabelRule = {
  action: "replace",
  sourceLabels: [],
  separator: ";",
  regex: "(.*)",
  modulus: 0n,
  targetLabel: "",
  replacement: "$1",
};

/** Labels under construction. */
type Labels = Map<string, string>;
/** False drops the target or sample. */
type Step = (labels: Labels) => boolean;

/** A compiled list of rules. */
export interface Relabeling {
  readonly empty: boolean;
  /** Undefined: dropped. */
  apply(labels: LabelSet): LabelSet | undefined;
}

/** Throws "bad-regex" and "bad-config". */
export function compileRelabeling(rules: readonly RelabelRule[]): Relabeling {
  const steps = rules.map(compileRule);
  return {
    empty: steps.length === 0,
    apply(labels) {
      if (steps.length === 0) return labels;
      const working: Labels = new Map(labels.entries());
      for (const step of steps) if (!step(working)) return undefined;
      return LabelSet.fromPairs(working);
    },
  };
}

/** The anchored pattern's groups (whole match first), or undefined. */
interface Pattern {
  match(text: string): readonly string[] | undefined;
  readonly names: ReadonlyMap<string, number>;
}

function compilePattern(source: string): Pattern {
  const compiled = compileRegex(`^(?s:${source})$`);
  const names = new Map(Object.entries(compiled.namedGroups()));
  return {
    names,
    match(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.matches()) return undefined;
      const groups: string[] = [];
      for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? "");
      return groups;
    },
  };
}

/** Expands `$1`, `${1}`, `$name`, `${name}` and `$$` as Go's `Regexp.Expand` does: `$1x` is the group named "1x". */
function expand(template: string, groups: readonly string[], pattern: Pattern): string {
  return template.replaceAll(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (whole, braced: string | undefined, bare: string | undefined) => {
      if (whole === "$$") return "$";
      const name = braced ?? bare ?? "";
      const index = /^\d+$/.test(name) ? Number(name) : pattern.names.get(name);
      return index === undefined ? "" : (groups[index] ?? "");
    },
  );
}

function set(labels: Labels, name: string, value: string): boolean {
  if (value === "") labels.delete(name);
  else labels.set(name, value);
  return true;
}

function compileRule(rule: RelabelRule): Step {
  const pattern = compilePattern(rule.regex);
  const source = (labels: Labels) =>
    rule.sourceLabels.map((name) => labels.get(name) ?? "").join(rule.separator);
  switch (rule.action) {
    case "replace":
      return (labels) => {
        const groups = pattern.match(source(labels));
        if (!groups) return true;
        const name = expand(rule.targetLabel, groups, pattern);
        return name === "" || set(labels, name, expand(rule.replacement, groups, pattern));
      };
    case "keep":
      return (labels) => pattern.match(source(labels)) !== undefined;
    case "drop":
      return (labels) => pattern.match(source(labels)) === undefined;
    case "keepequal":
      return (labels) => source(labels) === (labels.get(rule.targetLabel) ?? "");
    case "dropequal":
      return (labels) => source(labels) !== (labels.get(rule.targetLabel) ?? "");
    case "lowercase":
      return (labels) => set(labels, rule.targetLabel, source(labels).toLowerCase());
    case "uppercase":
      return (labels) => set(labels, rule.targetLabel, source(labels).toUpperCase());
    case "hashmod":
      return (labels) => set(labels, rule.targetLabel, hashModulo(source(labels), rule.modulus));
    case "labelmap":
      return (labels) => {
        const before = [...labels];
        for (const [name, value] of before) {
          const groups = pattern.match(name);
          if (groups) set(labels, expand(rule.replacement, groups, pattern), value);
        }
        return true;
      };
    case "labeldrop":
    case "labelkeep":
      return (labels) => {
        const drop = rule.action === "labeldrop";
        for (const name of labels.keys())
          if ((pattern.match(name) !== undefined) === drop) labels.delete(name);
        return true;
      };
    default:
      throw new IngestError("bad-config", `unknown relabel action ${String(rule.action)}`);
  }
}

/** As Prometheus: the last eight bytes of the MD5, big-endian, modulo. */
function hashModulo(text: string, modulus: bigint): string {
  const digest = createHash("md5").update(text).digest();
  return String(digest.readBigUInt64BE(8) % modulus);
}
