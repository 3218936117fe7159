import { listAt, mapAt, numberAt, stringAt, textOf, valueAt } from "../json.ts";
import type { KubeObject, LabelSelector } from "../object.ts";
import { formatLabelSelector } from "../selectors.ts";
import { ageColumn, at, type Column, column, mapText, nameColumn, wide } from "./columns.ts";

/** Deployments, ReplicaSets, StatefulSets, DaemonSets, budgets and autoscalers. */
const count =
  (...path: readonly string[]) =>
  (object: KubeObject) =>
    numberAt(object, ...path) ?? 0;

const containers = (object: KubeObject) => listAt(object, "spec", "template", "spec", "containers");

const templateColumns = (key: "selector" | undefined): Column[] => [
  wide("Containers", (object) =>
    containers(object)
      .map((each) => stringAt(each, "name") ?? "")
      .join(","),
  ),
  wide("Images", (object) =>
    containers(object)
      .map((each) => stringAt(each, "image") ?? "")
      .join(","),
  ),
  ...(key === undefined
    ? []
    : [
        wide("Selector", (object) => {
          // Checked against the kind's schema when it was written.
          return formatLabelSelector(valueAt(object, "spec", key) as LabelSelector | undefined);
        }),
      ]),
];

const readyOfDesired = (object: KubeObject) =>
  `${count("status", "readyReplicas")(object)}/${count("spec", "replicas")(object)}`;

export const deploymentColumns: readonly Column[] = [
  nameColumn,
  column("Ready", readyOfDesired),
  column("Up-to-date", count("status", "updatedReplicas"), "integer"),
  column("Available", count("status", "availableReplicas"), "integer"),
  ageColumn,
  ...templateColumns("selector"),
];

export const replicaSetColumns: readonly Column[] = [
  nameColumn,
  column("Desired", count("spec", "replicas"), "integer"),
  column("Current", count("status", "replicas"), "integer"),
  column("Ready", count("status", "readyReplicas"), "integer"),
  ageColumn,
  ...templateColumns("selector"),
];

export const statefulSetColumns: readonly Column[] = [
  nameColumn,
  column("Ready", readyOfDesired),
  ageColumn,
  ...templateColumns(undefined),
];

export const daemonSetColumns: readonly Column[] = [
  nameColumn,
  column("Desired", count("status", "desiredNumberScheduled"), "integer"),
  column("Current", count("status", "currentNumberScheduled"), "integer"),
  column("Ready", count("status", "numberReady"), "integer"),
  column("Up-to-date", count("status", "updatedNumberScheduled"), "integer"),
  column("Available", count("status", "numberAvailable"), "integer"),
  column("Node Selector", (object) =>
    mapText(mapAt(object, "spec", "template", "spec", "nodeSelector")),
  ),
  ageColumn,
  ...templateColumns("selector"),
];

const orNotAvailable =
  (...path: readonly string[]) =>
  (object: KubeObject) =>
    textOf(valueAt(object, ...path)) || "N/A";

export const disruptionBudgetColumns: readonly Column[] = [
  nameColumn,
  column("Min Available", orNotAvailable("spec", "minAvailable")),
  column("Max Unavailable", orNotAvailable("spec", "maxUnavailable")),
  column("Allowed Disruptions", count("status", "disruptionsAllowed"), "integer"),
  ageColumn,
];

export const autoscalerColumns: readonly Column[] = [
  nameColumn,
  column(
    "Reference",
    (object) =>
      `${textOf(valueAt(object, "spec", "scaleTargetRef", "kind"))}/${textOf(valueAt(object, "spec", "scaleTargetRef", "name"))}`,
  ),
  column("Targets", () => "<unknown>"),
  column("MinPods", at("spec", "minReplicas")),
  column("MaxPods", count("spec", "maxReplicas"), "integer"),
  column("Replicas", count("status", "currentReplicas"), "integer"),
  ageColumn,
];
