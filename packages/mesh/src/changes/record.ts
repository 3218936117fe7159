/** Makes change records of comparisons, live ones and those reconstructed from what the API remembers. */
import type { Change } from "@skopos/api";
import { isDeepStrictEqual } from "node:util";
import {
  entityOf,
  type ObjectStore,
  serviceIdOfDeployment,
  servicesTouchedBy,
} from "../cluster/store.ts";
import { type KubeObject, keyOf, listAt, textAt, timeAt, valueAt } from "../kube/object.ts";
import { lastWriter, yamlOf } from "./canonical.ts";
import { compareObjects, isBookkeepingObject, templateDifferences } from "./compare.ts";
import { unifiedDiff } from "./diff.ts";

/** A change with both states of the object, as far as they are known: what restoring needs. */
export interface ChangeRecord {
  readonly change: Change;
  readonly before: KubeObject | null;
  readonly after: KubeObject | null;
}

const revisionAnnotation = "deployment.kubernetes.io/revision";
/** Edits within this of an object's creation belong to creating it. */
const settleMs = 2000;

function recordOf(
  store: ObjectStore,
  comparison: { kind: Change["kind"]; summary: string },
  states: { before: KubeObject | undefined; after: KubeObject | undefined },
  about: { at: number; by: string | null },
): ChangeRecord | undefined {
  const object = states.after ?? states.before;
  if (!object) return undefined;
  const touched = servicesTouchedBy(store, object);
  const version = object.metadata.resourceVersion ?? "";
  const key = keyOf(object.metadata);
  const change: Change = {
    // A deleted object's last version is that of the change before.
    id: `${object.kind}/${key}@${version === "" ? about.at : version}${states.after ? "" : "-deleted"}`,
    at: about.at,
    kind: comparison.kind,
    object: entityOf(object),
    serviceId: touched === "namespace" ? null : (touched[0] ?? null),
    summary: comparison.summary,
    diff: unifiedDiff(yamlOf(states.before), yamlOf(states.after, states.before), {
      before: `${object.kind}/${key} before`,
      after: `${object.kind}/${key} after`,
    }),
    by: about.by,
    resourceVersion: version,
  };
  return { change, before: states.before ?? null, after: states.after ?? null };
}

/** A change seen live, at `nowMs`. */
export function liveChange(
  store: ObjectStore,
  before: KubeObject | undefined,
  after: KubeObject | undefined,
  nowMs: number,
): ChangeRecord | undefined {
  const comparison = compareObjects(before, after);
  if (!comparison) return undefined;
  const writer = after && after.kind !== "Pod" ? lastWriter(after) : undefined;
  return recordOf(store, comparison, { before, after }, { at: nowMs, by: writer?.by ?? null });
}

export function revisionOf(object: KubeObject): number {
  return Number(object.metadata.annotations?.[revisionAnnotation] ?? Number.NaN);
}

/** ReplicaSets of a deployment that carry a revision, oldest revision first. */
export function revisionsOf(store: ObjectStore, deployment: KubeObject): KubeObject[] {
  return store
    .objects("ReplicaSet")
    .filter((set) =>
      listAt(set, "metadata", "ownerReferences").some(
        (owner) =>
          textAt(owner, "kind") === "Deployment" &&
          textAt(owner, "name") === deployment.metadata.name &&
          set.metadata.namespace === deployment.metadata.namespace,
      ),
    )
    .filter((set) => !Number.isNaN(revisionOf(set)))
    .sort((a, b) => revisionOf(a) - revisionOf(b));
}

/** The pod template that a ReplicaSet's deployment had: without the hash label that the controller adds. */
export function templateOf(set: KubeObject): unknown {
  const template = structuredClone(valueAt(set, "spec", "template"));
  const labels = valueAt(template, "metadata", "labels");
  if (typeof labels === "object" && labels !== null)
    Reflect.deleteProperty(labels, "pod-template-hash");
  return template;
}

/** A deployment as it was with another template. */
export function withTemplate(deployment: KubeObject, template: unknown): KubeObject {
  const spec = valueAt(deployment, "spec");
  return { ...deployment, spec: { ...(typeof spec === "object" ? spec : {}), template } };
}

/** Rollouts that the ReplicaSets remember, each between neighbouring revisions. */
function rolloutHistory(store: ObjectStore, deployment: KubeObject): ChangeRecord[] {
  const sets = revisionsOf(store, deployment);
  const records: ChangeRecord[] = [];
  const created = sets.map((set) => timeAt(set, "metadata", "creationTimestamp"));
  for (let i = 1; i < sets.length; i++) {
    const [old, fresh] = [sets[i - 1], sets[i]];
    if (!old || !fresh) continue;
    const isCurrent = i === sets.length - 1;
    // An undo reuses the old ReplicaSet: its creation says nothing, the Deployment's last write does.
    const bornLast = created.every((at) => (at ?? 0) <= (created[i] ?? 0));
    const written = lastWriter(deployment);
    const at = bornLast || !isCurrent ? created[i] : written?.at;
    if (at === undefined || isDeepStrictEqual(templateOf(old), templateOf(fresh))) continue;
    const parts = templateDifferences(templateOf(old), templateOf(fresh));
    const name = deployment.metadata.name;
    const record = recordOf(
      store,
      {
        kind: "rollout",
        summary: `${name}: ${parts.slice(0, 5).join(", ") || "template changed"}`,
      },
      {
        before: withTemplate(deployment, templateOf(old)),
        after: withTemplate(deployment, templateOf(fresh)),
      },
      { at, by: isCurrent ? (written?.by ?? null) : null },
    );
    if (!record) continue;
    const revision = revisionOf(fresh);
    const id = `Deployment/${keyOf(deployment.metadata)}@revision-${revision}`;
    records.push({
      ...record,
      change: { ...record.change, id, serviceId: serviceIdOfDeployment(deployment) },
    });
  }
  return records;
}

/** Creation and last edit of a configuration object; what an edit replaced, the API does not remember. */
function configHistory(store: ObjectStore, object: KubeObject): ChangeRecord[] {
  const created = timeAt(object, "metadata", "creationTimestamp");
  if (created === undefined || isBookkeepingObject(object)) return [];
  const title = `${object.kind} ${object.metadata.name}`;
  const written = lastWriter(object);
  if (written && written.at > created + settleMs) {
    const edit = recordOf(
      store,
      { kind: "config-updated", summary: `${title} edited (what it was before is not known)` },
      { before: object, after: object },
      written,
    );
    return edit ? [{ ...edit, before: null }] : [];
  }
  const creation = recordOf(
    store,
    { kind: "config-created", summary: `${title} created` },
    { before: undefined, after: object },
    { at: created, by: written?.by ?? null },
  );
  return creation ? [creation] : [];
}

const historyKinds = [
  "DestinationRule",
  "VirtualService",
  "Gateway",
  "ServiceEntry",
  "PeerAuthentication",
  "AuthorizationPolicy",
  "ConfigMap",
  "Service",
];

/** What the cluster's objects tell about changes since `sinceMs`, oldest first. */
export function reconstructHistory(store: ObjectStore, sinceMs: number): ChangeRecord[] {
  const records = [
    ...store.objects("Deployment").flatMap((item) => rolloutHistory(store, item)),
    ...historyKinds.flatMap((kind) =>
      store.objects(kind).flatMap((item) => configHistory(store, item)),
    ),
  ];
  return records
    .filter(({ change }) => change.at >= sinceMs)
    .sort((a, b) => a.change.at - b.change.at);
}
