import { clone, field, isObject, type JsonObject, jsonEqual, stringAt } from "./json.ts";
import { type Kind, storedApiVersion } from "./kinds.ts";
import { type KubeObject, timestamp } from "./object.ts";
import {
  compareFields,
  decodeFields,
  encodeFields,
  type FieldSet,
  fieldsOf,
  formatPath,
  mergeApplied,
  ownsWithin,
  removePath,
} from "./field-set.ts";
import { type StatusCause, StatusError } from "./status-error.ts";

/**
 * Who owns which field (`metadata.managedFields`), and server-side apply, which rests on it.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export type UpdateContext = { manager: string; subresource: string; nowMs: number };
export type ApplyContext = UpdateContext & { force: boolean };

type Entry = {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  subresource: string;
  time: string;
  fields: FieldSet;
};

/** Update entries kept apart; older ones are joined, as the real server does. */
const updateEntriesMax = 10;

function decodeEntries(object: KubeObject | undefined): Entry[] {
  return (object?.metadata.managedFields ?? []).flatMap((entry) => {
    const manager = stringAt(entry, "manager");
    if (manager === undefined) return [];
    const fields = field(entry, "fieldsV1");
    return [
      {
        manager,
        operation: entry["operation"] === "Apply" ? "Apply" : "Update",
        apiVersion: stringAt(entry, "apiVersion") ?? "",
        subresource: stringAt(entry, "subresource") ?? "",
        time: stringAt(entry, "time") ?? "",
        fields: isObject(fields) ? decodeFields(fields) : new Set<string>(),
      },
    ];
  });
}

function encodeEntries(entries: readonly Entry[]): JsonObject[] {
  const owning = entries.filter((entry) => entry.fields.size > 0);
  return joinOldest(owning).map(({ subresource, fields, ...entry }) => ({
    ...entry,
    fieldsType: "FieldsV1",
    fieldsV1: encodeFields(fields),
    ...(subresource === "" ? {} : { subresource }),
  }));
}

function joinOldest(entries: Entry[]): Entry[] {
  const updates = entries.filter((entry) => entry.operation === "Update");
  const surplus = updates.length - updateEntriesMax;
  if (surplus <= 0) return entries;
  const oldest = updates.sort((a, b) => (a.time < b.time ? -1 : 1)).slice(0, surplus + 1);
  const joined: Entry = {
    manager: "ancient-changes",
    operation: "Update",
    apiVersion: oldest[0]?.apiVersion ?? "",
    subresource: "",
    time: oldest.at(-1)?.time ?? "",
    fields: new Set(oldest.flatMap((entry) => [...entry.fields])),
  };
  return [...entries.filter((entry) => !oldest.includes(entry)), joined];
}

function entryOf(
  entries: Entry[],
  kind: Kind,
  operation: Entry["operation"],
  { manager, subresource, nowMs }: UpdateContext,
): Entry {
  const apiVersion = storedApiVersion(kind);
  const present = entries.find(
    (entry) =>
      entry.manager === manager &&
      entry.operation === operation &&
      entry.subresource === subresource &&
      entry.apiVersion === apiVersion,
  );
  if (present !== undefined) return present;
  const time = timestamp(nowMs);
  const made = { manager, operation, apiVersion, subresource, time, fields: new Set<string>() };
  entries.push(made);
  return made;
}

/** Accounts a create, update or patch to its manager: it gains what it changed, everyone else loses it. */
export function trackUpdate(
  kind: Kind,
  previous: KubeObject | undefined,
  next: KubeObject,
  context: UpdateContext,
): void {
  // A writer may rewrite the record itself (kubectl does, to take over its client-side fields); `[{}]` clears it.
  const given = next.metadata.managedFields;
  const replaced = given !== undefined && given.length > 0;
  const entries = decodeEntries(replaced ? next : previous);
  const before = fieldsOf(previous ?? {}, kind.schema, true);
  const after = fieldsOf(next, kind.schema, true);
  const { changed, removed } = compareFields(before, after);
  if (changed.size > 0 || removed.size > 0) {
    for (const entry of entries) {
      for (const path of changed) entry.fields.delete(path);
      for (const path of removed) entry.fields.delete(path);
    }
    const own = entryOf(entries, kind, "Update", context);
    for (const path of changed) own.fields.add(path);
    own.time = timestamp(context.nowMs);
  }
  const encoded = encodeEntries(entries);
  if (encoded.length > 0) next.metadata.managedFields = encoded;
  else delete next.metadata.managedFields;
}

/**
 * The object after applying, with its ownership settled. Throws 409 with one cause per field that another manager owns
 * and the applied object would change, unless forced.
 */
export function applyServerSide(
  kind: Kind,
  previous: KubeObject | undefined,
  wanted: KubeObject,
  context: ApplyContext,
): KubeObject {
  const applied = appliedPart(kind, wanted, context.subresource);
  const appliedFields: FieldSet = new Set(fieldsOf(applied, kind.schema, false).keys());
  const entries = decodeEntries(previous);
  const own = entryOf(entries, kind, "Apply", context);
  const others = entries.filter((entry) => entry !== own);
  const rootSchema = {
    kind: "use",
    struct: kind.schema,
    atomic: false,
    retainKeys: false,
  } as const;
  const live: JsonObject = clone(previous ?? {});
  // Merging two objects gives an object of the same kind.
  const merged = clone(mergeApplied(live, applied, rootSchema)) as KubeObject;
  merged.kind = kind.kind;
  merged.apiVersion = storedApiVersion(kind);

  const dropped = [...own.fields].filter((path) => !appliedFields.has(path)).sort();
  for (const path of dropped) {
    const stillOwned =
      ownsWithin(appliedFields, path) || others.some((entry) => ownsWithin(entry.fields, path));
    if (!stillOwned) removePath(merged, path, kind.schema);
  }

  const before = fieldsOf(live, kind.schema, false);
  const { changed } = compareFields(before, fieldsOf(merged, kind.schema, false));
  const conflicts = others.flatMap((entry) =>
    [...changed].filter((path) => entry.fields.has(path)).map((path) => ({ entry, path })),
  );
  if (conflicts.length > 0 && !context.force) throw conflictError(conflicts);
  for (const { entry, path } of conflicts) entry.fields.delete(path);
  if (!sameSet(own.fields, appliedFields) || changed.size > 0 || dropped.length > 0) {
    own.time = timestamp(context.nowMs);
  }
  own.fields = appliedFields;
  merged.metadata = { ...merged.metadata, managedFields: encodeEntries(entries) };
  if (previous !== undefined && jsonEqual(previous, merged)) return clone(previous);
  return merged;
}

/** The main resource applies all but the status, `/status` nothing else. */
function appliedPart(kind: Kind, wanted: KubeObject, subresource: string): JsonObject {
  const applied: JsonObject = clone(wanted);
  if (subresource === "status") {
    const { name, namespace } = wanted.metadata;
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    return { metadata, status: applied["status"] ?? {} };
  }
  if (kind.subresources.includes("status")) delete applied["status"];
  return applied;
}

function sameSet(left: FieldSet, right: FieldSet): boolean {
  return left.size === right.size && [...left].every((path) => right.has(path));
}

type Conflict = { entry: Entry; path: string };

function describeManager({ manager, operation, apiVersion, subresource, time }: Entry): string {
  const name = JSON.stringify(manager);
  const part =
    subresource === "" ? name : `${name} with subresource ${JSON.stringify(subresource)}`;
  if (operation === "Apply") return part;
  return time === "" ? `${part} using ${apiVersion}` : `${part} using ${apiVersion} at ${time}`;
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const sorted = [...conflicts].sort((a, b) => (a.path < b.path ? -1 : 1));
  const causes: StatusCause[] = sorted.map(({ entry, path }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${describeManager(entry)}`,
    field: formatPath(path),
  }));
  return new StatusError(409, "Conflict", conflictMessage(sorted), { causes });
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${describeManager(first.entry)}: ${formatPath(first.path)}`;
  }
  const byManager = new Map<string, string[]>();
  for (const { entry, path } of conflicts) {
    const manager = describeManager(entry);
    byManager.set(manager, [...(byManager.get(manager) ?? []), `- ${formatPath(path)}`]);
  }
  const parts = [...byManager]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([manager, paths]) => `conflicts with ${manager}:\n${paths.join("\n")}`);
  return `Apply failed with ${conflicts.length} conflicts: ${parts.join("\n")}`;
}
