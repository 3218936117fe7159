import type { Json, JsonObject } from "./json.ts";

/**
 * Kubernetes objects as this API stores them, and the parts of the built-in kinds that controllers and the node agent
 * read. Type aliases, not interfaces, so that every view is also plain JSON. The schema check at the door of the store
 * (see schema-check.ts) is what makes the views true.
 */
export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

export type ObjectMeta = {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: JsonObject[];
};

export type KubeObject = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: Json;
};

export type Condition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
};

type ContainerPort = { name?: string; containerPort: number; protocol?: string };
type EnvVar = { name: string; value?: string; valueFrom?: JsonObject };
type Container = {
  name: string;
  image: string;
  env?: EnvVar[];
  ports?: ContainerPort[];
  command?: string[];
  args?: string[];
  resources?: {
    limits?: { [resource: string]: string | number };
    requests?: { [resource: string]: string | number };
  };
  readinessProbe?: JsonObject;
};

type PodSpec = {
  containers: Container[];
  initContainers?: Container[];
  nodeName?: string;
  serviceAccountName?: string;
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
};

export type ContainerStatus = {
  name: string;
  ready: boolean;
  restartCount: number;
  image: string;
  imageID: string;
  started?: boolean;
  containerID?: string;
  state?: JsonObject;
  lastState?: JsonObject;
};

export type PodStatus = {
  phase?: string;
  podIP?: string;
  podIPs?: { ip: string }[];
  hostIP?: string;
  hostIPs?: { ip: string }[];
  startTime?: string;
  reason?: string;
  message?: string;
  qosClass?: string;
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
};

export type Pod = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: PodSpec;
  status: PodStatus;
};

export type LabelSelector = {
  matchLabels?: { [key: string]: string };
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
};

export type PodTemplate = {
  metadata: {
    labels?: { [key: string]: string };
    annotations?: { [key: string]: string };
  };
  spec: PodSpec;
};

export type ReplicaSet = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: {
    replicas: number;
    minReadySeconds?: number;
    selector: LabelSelector;
    template: PodTemplate;
  };
  status: {
    replicas: number;
    fullyLabeledReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    observedGeneration?: number;
  };
};

export type Deployment = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: {
    replicas: number;
    selector: LabelSelector;
    template: PodTemplate;
    strategy: {
      type: string;
      rollingUpdate?: { maxSurge: number | string; maxUnavailable: number | string };
    };
    minReadySeconds?: number;
    revisionHistoryLimit: number;
    progressDeadlineSeconds: number;
    paused?: boolean;
  };
  status: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    unavailableReplicas?: number;
    collisionCount?: number;
    conditions?: Condition[];
  };
};

export type ServicePort = {
  name?: string;
  port: number;
  targetPort?: number | string;
  protocol?: string;
  nodePort?: number;
  appProtocol?: string;
};

export type Service = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: {
    type?: string;
    clusterIP?: string;
    clusterIPs?: string[];
    selector?: { [key: string]: string };
    ports?: ServicePort[];
    publishNotReadyAddresses?: boolean;
  };
};

type KindTypes = {
  Pod: Pod;
  ReplicaSet: ReplicaSet;
  Deployment: Deployment;
  Service: Service;
};

/** The view of a kind that has one, else any object. */
export type ObjectOf<K extends string> = K extends keyof KindTypes ? KindTypes[K] : KubeObject;

/** Anything with a metadata: what the identity functions below need. */
export type Named = { apiVersion: string; kind: string; metadata: ObjectMeta };

/** The reference under which `owner` controls what it makes. */
export function controllerReference(owner: Named): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function controllerOf(object: Named): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function isControlledBy(object: Named, owner: Named): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string) {
  return conditions?.find((condition) => condition.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return conditionOf(pod.status.conditions, "Ready")?.status === "True";
}

/** A pod that still counts: not finished and not being deleted. */
export function isPodActive(pod: Pod): boolean {
  return (
    pod.status.phase !== "Succeeded" &&
    pod.status.phase !== "Failed" &&
    pod.metadata.deletionTimestamp === undefined
  );
}

/** RFC 3339 with whole seconds, as metav1.Time is written. */
export function timestamp(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}
