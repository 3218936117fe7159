import type { JsonObject } from "../json.ts";
import type { Kind } from "../kinds.ts";
import type { KubeObject } from "../object.ts";
import {
  configMapColumns,
  endpointsColumns,
  endpointSliceColumns,
  eventColumns,
  leaseColumns,
  namespaceColumns,
  nodeColumns,
  secretColumns,
  serviceAccountColumns,
  serviceColumns,
} from "./cluster-columns.ts";
import { ageColumn, at, type Column, column, nameColumn } from "./columns.ts";
import { podColumns } from "./pod-columns.ts";
import {
  autoscalerColumns,
  daemonSetColumns,
  deploymentColumns,
  disruptionBudgetColumns,
  replicaSetColumns,
  statefulSetColumns,
} from "./workload-columns.ts";

/**
 * Server-side printing: objects as `meta.k8s.io/v1` Tables. Istio's columns are the `additionalPrinterColumns` of its
 * CRDs; a kind without columns of its own shows name and age.
 */
const usageColumns = [
  nameColumn,
  column("CPU", at("usage", "cpu")),
  column("Memory", at("usage", "memory")),
  column("Window", at("window")),
];

const columnsByKind: Readonly<Record<string, readonly Column[]>> = {
  Pod: podColumns,
  Deployment: deploymentColumns,
  ReplicaSet: replicaSetColumns,
  StatefulSet: statefulSetColumns,
  DaemonSet: daemonSetColumns,
  Service: serviceColumns,
  Endpoints: endpointsColumns,
  EndpointSlice: endpointSliceColumns,
  Node: nodeColumns,
  Namespace: namespaceColumns,
  ConfigMap: configMapColumns,
  Secret: secretColumns,
  ServiceAccount: serviceAccountColumns,
  Event: eventColumns,
  Lease: leaseColumns,
  PodDisruptionBudget: disruptionBudgetColumns,
  HorizontalPodAutoscaler: autoscalerColumns,
  NodeMetrics: usageColumns,
  CustomResourceDefinition: [
    nameColumn,
    column("Created At", (object) => object.metadata.creationTimestamp ?? "<unknown>"),
  ],
  VirtualService: [
    nameColumn,
    column("Gateways", at("spec", "gateways")),
    column("Hosts", at("spec", "hosts")),
    ageColumn,
  ],
  DestinationRule: [nameColumn, column("Host", at("spec", "host")), ageColumn],
  ServiceEntry: [
    nameColumn,
    column("Hosts", at("spec", "hosts")),
    column("Location", at("spec", "location")),
    column("Resolution", at("spec", "resolution")),
    ageColumn,
  ],
  WorkloadEntry: [nameColumn, ageColumn, column("Address", at("spec", "address"))],
  PeerAuthentication: [nameColumn, column("Mode", at("spec", "mtls", "mode")), ageColumn],
  AuthorizationPolicy: [nameColumn, column("Action", at("spec", "action")), ageColumn],
};

export function columnsOf(kind: Kind): readonly Column[] {
  return columnsByKind[kind.kind] ?? [nameColumn, ageColumn];
}

export type TableOptions = {
  includeObject: "None" | "Metadata" | "Object";
  /** Watches name the columns in their first event only. */
  withColumns: boolean;
  /** List or object metadata: resourceVersion, continue. */
  metadata: JsonObject;
  nowMs: number;
};

/** `objects` are rows as stored, `shown` turns one into the version asked for. */
export function tableOf(
  kind: Kind,
  objects: readonly KubeObject[],
  shown: (object: KubeObject) => KubeObject,
  options: TableOptions,
): JsonObject {
  const columns = columnsOf(kind);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.metadata,
    columnDefinitions: options.withColumns
      ? columns.map(({ name, type, format, description, priority }) => ({
          name,
          type,
          format,
          description,
          priority,
        }))
      : null,
    rows: objects.map((object) => ({
      cells: columns.map((each) => each.value(object, options.nowMs)),
      ...rowObject(shown(object), options.includeObject),
    })),
  };
}

function rowObject(object: KubeObject, include: TableOptions["includeObject"]): JsonObject {
  if (include === "None") return {};
  return { object: include === "Object" ? object : partialMetadata(object) };
}

export function partialMetadata({ metadata }: KubeObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}
