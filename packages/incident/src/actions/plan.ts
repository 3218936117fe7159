/**
 * Plans: reads the live object, works out the write, lets the API server try it dry, and says in words what would change,
 * how far it reaches and how it is undone. Nothing is written here.
 */
import type { Action, Change, Graph } from "@skopos/api";
import {
  type ChangeRecord,
  deploymentsOf,
  type KubeApi,
  type KubeObject,
  numberAt,
  type ObjectRef,
  type ObjectStore,
  percent,
  replicasOf,
  revisionOf,
  revisionsOf,
  templateOf,
  unifiedDiff,
  valueAt,
  yamlOf,
} from "@skopos/mesh";
import { canonicalObject } from "@skopos/mesh";
import { SkoposError } from "@skopos/model";
import { isDeepStrictEqual } from "node:util";
import type { Planned, Write } from "../desk/events.ts";
import { carryOutAgainst, readLive, sameDesired, withDesired } from "./write.ts";

export interface PlanContext {
  readonly kube: KubeApi;
  readonly cluster: ObjectStore & { changeRecord(id: string): ChangeRecord | undefined };
  readonly graph: Graph | undefined;
  readonly nowMs: number;
  readonly expiryMs: number;
}

interface Draft {
  readonly write: Write;
  readonly undo: string;
  readonly warnings: readonly string[];
}

export function targetRef(target: Action["target"]): ObjectRef {
  return {
    kind: target.objectKind ?? "Deployment",
    name: target.name,
    ...(target.namespace !== undefined && { namespace: target.namespace }),
  };
}

function refuse(message: string): never {
  throw new SkoposError("cannot-plan", message);
}

/** The template of the newest revision that differs from the live one, as `kubectl rollout undo` takes it. */
function draftRolloutUndo(
  live: KubeObject,
  store: ObjectStore,
  record: ChangeRecord | undefined,
): Draft {
  const template = valueAt(live, "spec", "template");
  const earlier = revisionsOf(store, live)
    .reverse()
    .find((set) => !isDeepStrictEqual(templateOf(set), template));
  const before = record?.before ? valueAt(record.before, "spec", "template") : undefined;
  // What the blamed change replaced is what was good; the newest other revision stands in when it is not known.
  const wanted = before ?? (earlier ? templateOf(earlier) : undefined);
  if (wanted === undefined) refuse(`${live.metadata.name} has no earlier revision to go back to`);
  if (isDeepStrictEqual(wanted, template))
    refuse(`${live.metadata.name} has the earlier template already: somebody was faster`);
  const revision = earlier ? ` (revision ${revisionOf(earlier)})` : "";
  const { name, namespace } = live.metadata;
  return {
    write: {
      method: "json-patch",
      ref: { kind: "Deployment", name, ...(namespace !== undefined && { namespace }) },
      operations: [{ op: "replace", path: "/spec/template", value: wanted }],
    },
    undo: `The present template is kept${revision && ` beside the earlier one${revision}`} and put back if the service does not recover.`,
    warnings: [],
  };
}

function draftScale(live: KubeObject, record: ChangeRecord | undefined): Draft {
  const wanted = numberAt(record?.before, "spec", "replicas");
  const present = numberAt(live, "spec", "replicas") ?? 1;
  if (wanted === undefined) refuse("how many replicas there were before is not known");
  if (wanted === present) refuse(`${live.metadata.name} has ${wanted} replicas already`);
  const { name, namespace } = live.metadata;
  return {
    write: {
      method: "merge-patch",
      ref: { kind: live.kind, name, ...(namespace !== undefined && { namespace }) },
      body: { spec: { replicas: wanted } },
    },
    undo: `Scaled back to ${present} if the service does not recover.`,
    warnings: [],
  };
}

function draftRestore(live: KubeObject, record: ChangeRecord | undefined): Draft {
  const before = record?.before;
  if (!before) refuse("what the object was before the change is not known");
  if (sameDesired(live, before)) refuse(`${live.metadata.name} is as it was before already`);
  const moved = record.after && !sameDesired(record.after, live);
  return {
    write: { method: "replace", object: withDesired(live, before) },
    undo: "The present state is kept and put back if the service does not recover.",
    warnings: moved ? ["It was edited again since the change that is blamed."] : [],
  };
}

function draftOf(
  action: Action,
  live: KubeObject | null,
  record: ChangeRecord | undefined,
  store: ObjectStore,
): Draft {
  const name = action.target.name;
  if (action.kind === "recreate-object") {
    if (live) refuse(`${name} exists again already`);
    if (!record?.before) refuse("what the object was before it was deleted is not known");
    return {
      write: { method: "create", object: canonicalObject(record.before) },
      undo: "Deleted again if the service does not recover.",
      warnings: [],
    };
  }
  if (!live) refuse(`${action.target.objectKind ?? "object"} ${name} does not exist any more`);
  switch (action.kind) {
    case "rollout-undo":
      return draftRolloutUndo(live, store, record);
    case "scale":
      return draftScale(live, record);
    case "restore-object":
      return draftRestore(live, record);
    default:
      return {
        write: { method: "delete", ref: targetRef(action.target) },
        undo: "The object is kept and created again if the service does not recover.",
        warnings: [],
      };
  }
}

/** Who feels it: workloads, replicas that restart, share of the mesh's traffic. */
function blastRadiusOf(
  action: Action,
  serviceId: string,
  store: ObjectStore,
  graph: Graph | undefined,
): string {
  const deployments = deploymentsOf(store, serviceId);
  const replicas = deployments.reduce((sum, item) => sum + replicasOf(item).desired, 0);
  const node = graph?.nodes.find((candidate) => candidate.id === serviceId);
  const total = graph?.nodes.reduce((sum, item) => sum + (item.traffic.requestsPerSecond ?? 0), 0);
  const share =
    node?.traffic.requestsPerSecond && total
      ? `, ${percent(node.traffic.requestsPerSecond / total)} of the mesh's requests`
      : "";
  const rolls = action.kind === "rollout-undo" || action.kind === "scale";
  const what = rolls
    ? `${replicas} replicas of ${action.target.name} ${action.kind === "scale" ? "are scaled" : "restart one by one"}`
    : `Traffic to ${serviceId.split("/")[1] ?? serviceId}; no pod restarts`;
  return `${what}${share}.`;
}

/** Which action on which object undoes a change. Undefined for changes that nothing here can undo. */
export function actionFor(change: Change): { kind: Action["kind"]; title: string } | undefined {
  const { name, objectKind } = change.object;
  const object = `${objectKind ?? "object"} ${name}`;
  switch (change.kind) {
    case "rollout":
      return { kind: "rollout-undo", title: `Undo the rollout of ${name}` };
    case "scale":
      return { kind: "scale", title: `Scale ${name} back` };
    case "config-updated":
      return { kind: "restore-object", title: `Put ${object} back as it was` };
    case "config-created":
      return objectKind === "Deployment" || objectKind === "Service"
        ? undefined
        : { kind: "delete-object", title: `Delete ${object}` };
    case "config-deleted":
      return { kind: "recreate-object", title: `Create ${object} again` };
    default:
      return undefined;
  }
}

/** Throws `cannot-plan` with the reason, or what the API server answered to the dry run. */
export async function makePlan(
  action: Action,
  about: { readonly change: Change | null; readonly serviceId: string },
  criteria: Action["criteria"],
  context: PlanContext,
): Promise<Planned> {
  const ref = targetRef(action.target);
  const live = await readLive(context.kube, ref);
  const record = about.change ? context.cluster.changeRecord(about.change.id) : undefined;
  const draft = draftOf(action, live, record, context.cluster);
  const resourceVersion = live?.metadata.resourceVersion;
  const expected = await carryOutAgainst(context.kube, draft.write, {
    ref,
    expected: live,
    dryRun: true,
  });
  const names = {
    before: `${ref.kind}/${ref.name} (live)`,
    after: `${ref.kind}/${ref.name} (after)`,
  };
  return {
    plan: {
      at: context.nowMs,
      diff: unifiedDiff(
        yamlOf(live ?? undefined),
        yamlOf(expected ?? undefined, live ?? undefined),
        names,
      ),
      resourceVersion: resourceVersion ?? "",
      blastRadius: blastRadiusOf(action, about.serviceId, context.cluster, context.graph),
      undo: draft.undo,
      warnings: [...draft.warnings],
      expiresAt: context.nowMs + context.expiryMs,
    },
    write: draft.write,
    preImage: live,
    expected,
    criteria,
  };
}
