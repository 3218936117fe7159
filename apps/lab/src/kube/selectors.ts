import { type Json, mapAt, valueAt } from "./json.ts";
import type { LabelSelector } from "./object.ts";
import { badRequest } from "./status-error.ts";

/**
 * Label and field selectors: the query-string grammar of `labelSelector` and `fieldSelector`, and `metav1.LabelSelector`
 * objects. An empty selector selects everything.
 */
type Requirement =
  | { operator: "in" | "notin"; key: string; values: readonly string[] }
  | { operator: "exists" | "absent"; key: string }
  | { operator: "gt" | "lt"; key: string; bound: number };

export type Selector = readonly Requirement[];

type Labels = { readonly [key: string]: string };

function holds(requirement: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
    case "in":
      return value !== undefined && requirement.values.includes(value);
    case "notin":
      return value === undefined || !requirement.values.includes(value);
    case "gt":
      return value !== undefined && Number(value) > requirement.bound;
    default:
      return value !== undefined && Number(value) < requirement.bound;
  }
}

export function selects(selector: Selector, labels: Labels | undefined): boolean {
  return selector.every((requirement) => holds(requirement, labels ?? {}));
}

const labelKey =
  /^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;

function checkedKey(text: string, whole: string): string {
  const key = text.trim();
  if (!labelKey.test(key)) {
    throw badRequest(
      `unable to parse requirement: found '${key}', expected: identifier in selector ${JSON.stringify(whole)}`,
    );
  }
  return key;
}

/** Splits on commas that are not inside parentheses. */
function splitRequirements(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "," && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>3`; throws BadRequest where it is none. */
export function parseLabelSelector(text: string): Selector {
  return splitRequirements(text).map((part): Requirement => {
    const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
    if (set !== null) {
      const values = (set[3] ?? "").split(",").map((value) => value.trim());
      return {
        operator: set[2] === "in" ? "in" : "notin",
        key: checkedKey(set[1] ?? "", text),
        values,
      };
    }
    const comparison = /^([^=!<>]+)(==|=|!=|>|<)(.*)$/.exec(part);
    if (comparison !== null) {
      const key = checkedKey(comparison[1] ?? "", text);
      const value = (comparison[3] ?? "").trim();
      if (comparison[2] === ">" || comparison[2] === "<") {
        return { operator: comparison[2] === ">" ? "gt" : "lt", key, bound: Number(value) };
      }
      return { operator: comparison[2] === "!=" ? "notin" : "in", key, values: [value] };
    }
    if (part.startsWith("!")) return { operator: "absent", key: checkedKey(part.slice(1), text) };
    return { operator: "exists", key: checkedKey(part, text) };
  });
}

/** A selector from an object's `matchLabels` and `matchExpressions`. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  const requirements: Requirement[] = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]) => ({ operator: "in", key, values: [value] }),
  );
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    if (operator === "In") requirements.push({ operator: "in", key, values });
    else if (operator === "NotIn") requirements.push({ operator: "notin", key, values });
    else requirements.push({ operator: operator === "Exists" ? "exists" : "absent", key });
  }
  return requirements;
}

/** The text `kubectl -l` would take, as printers and scales show it. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const parts = Object.entries(selector?.matchLabels ?? {})
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    if (operator === "Exists") parts.push(key);
    else if (operator === "DoesNotExist") parts.push(`!${key}`);
    else parts.push(`${key} ${operator.toLowerCase()} (${values.join(",")})`);
  }
  return parts.length === 0 ? "<none>" : parts.join(",");
}

export type FieldSelector = readonly { path: readonly string[]; value: string; equal: boolean }[];

const metadataFields = ["metadata.name", "metadata.namespace"];
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  Event: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  ReplicaSet: ["status.replicas"],
  Namespace: ["status.phase"],
  Node: ["spec.unschedulable"],
  Secret: ["type"],
  Service: ["spec.clusterIP", "spec.type"],
};

/** Reads `metadata.name=a,status.phase!=b` for a kind; fields that kind cannot select by are a BadRequest. */
export function parseFieldSelector(text: string, kind: string): FieldSelector {
  const known = [...metadataFields, ...(selectableFields[kind] ?? [])];
  return text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part.trim());
      if (match === null) {
        throw badRequest(
          `Unable to find {"" "v1" ""} that match label selector "", field selector ${JSON.stringify(text)}: invalid selector: '${part}'; can't understand '${part}'`,
        );
      }
      const name = match[1] ?? "";
      if (!known.includes(name)) throw badRequest(`field label not supported: ${name}`);
      return { path: name.split("."), value: match[3] ?? "", equal: match[2] !== "!=" };
    });
}

function fieldText(object: Json, path: readonly string[]): string {
  const value =
    path[0] === "source" ? valueAt(object, "source", "component") : valueAt(object, ...path);
  return value === undefined || value === null || typeof value === "object" ? "" : String(value);
}

export function selectsFields(selector: FieldSelector, object: Json): boolean {
  return selector.every(({ path, value, equal }) => (fieldText(object, path) === value) === equal);
}

/** Whether every label of a Service's map selector is on `labels`. */
export function mapSelects(selector: Labels, labels: Labels | undefined): boolean {
  return Object.entries(selector).every(([key, value]) => mapAt(labels ?? {})[key] === value);
}
