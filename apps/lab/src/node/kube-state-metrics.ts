/** The cluster's objects as series, under the names of kube-state-metrics v2. */
import { listAt, mapAt, numberAt, stringAt } from "../kube/json.ts";
import { conditionOf, controllerOf, type Deployment, type Pod } from "../kube/object.ts";
import { parseQuantity } from "../kube/quantity.ts";
import type { KubeStore } from "../kube/store.ts";
import { type Labels, Page } from "../telemetry/exposition.ts";

export function kubeStateText(store: KubeStore): string {
  const page = new Page();
  writeDeployments(page, store.list("Deployment"));
  writeReplicaSets(page, store);
  const pods = store.list("Pod");
  writePods(page, pods);
  writeContainers(page, pods);
  page.family("kube_service_info", "gauge");
  for (const service of store.list("Service")) {
    const { namespace = "default", name } = service.metadata;
    const labels = { namespace, service: name, cluster_ip: service.spec.clusterIP ?? "" };
    page.sample("kube_service_info", labels, 1);
  }
  page.family("kube_namespace_status_phase", "gauge");
  for (const { metadata } of store.list("Namespace")) {
    const labels = { namespace: metadata.name, phase: "Active" };
    page.sample(
      "kube_namespace_status_phase",
      labels,
      metadata.deletionTimestamp === undefined ? 1 : 0,
    );
  }
  return page.text();
}

function writeDeployments(page: Page, deployments: readonly Deployment[]): void {
  const families: [string, (deployment: Deployment) => number | undefined][] = [
    ["kube_deployment_spec_replicas", ({ spec }) => spec.replicas],
    ["kube_deployment_status_replicas", ({ status }) => status.replicas ?? 0],
    ["kube_deployment_status_replicas_ready", ({ status }) => status.readyReplicas ?? 0],
    ["kube_deployment_status_replicas_available", ({ status }) => status.availableReplicas ?? 0],
    [
      "kube_deployment_status_replicas_unavailable",
      ({ status }) => status.unavailableReplicas ?? 0,
    ],
    ["kube_deployment_status_replicas_updated", ({ status }) => status.updatedReplicas ?? 0],
    ["kube_deployment_status_observed_generation", ({ status }) => status.observedGeneration],
    ["kube_deployment_metadata_generation", ({ metadata }) => metadata.generation],
    ["kube_deployment_created", ({ metadata }) => secondsOf(metadata.creationTimestamp)],
  ];
  for (const [name, read] of families) {
    page.family(name, "gauge");
    for (const deployment of deployments) {
      const { namespace = "default", name: own } = deployment.metadata;
      const value = read(deployment);
      if (value !== undefined) page.sample(name, { namespace, deployment: own }, value);
    }
  }
}

function writeReplicaSets(page: Page, store: KubeStore): void {
  const sets = store.list("ReplicaSet");
  page.family("kube_replicaset_spec_replicas", "gauge");
  for (const set of sets) {
    const { namespace = "default", name } = set.metadata;
    page.sample(
      "kube_replicaset_spec_replicas",
      { namespace, replicaset: name },
      set.spec.replicas,
    );
  }
  page.family("kube_replicaset_owner", "gauge");
  for (const set of sets) {
    const { namespace = "default", name } = set.metadata;
    const owner = controllerOf(set);
    if (owner === undefined) continue;
    const labels = { namespace, replicaset: name, owner_kind: owner.kind, owner_name: owner.name };
    page.sample("kube_replicaset_owner", labels, 1);
  }
}

const phases = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];

function writePods(page: Page, pods: readonly Pod[]): void {
  page.family("kube_pod_info", "gauge");
  for (const pod of pods) {
    const owner = controllerOf(pod);
    page.sample(
      "kube_pod_info",
      {
        ...podLabels(pod),
        pod_ip: pod.status.podIP ?? "",
        node: pod.spec.nodeName ?? "",
        created_by_kind: owner?.kind ?? "",
        created_by_name: owner?.name ?? "",
      },
      1,
    );
  }
  page.family("kube_pod_owner", "gauge");
  for (const pod of pods) {
    const owner = controllerOf(pod);
    if (owner === undefined) continue;
    const labels = { ...podLabels(pod), owner_kind: owner.kind, owner_name: owner.name };
    page.sample("kube_pod_owner", labels, 1);
  }
  page.family("kube_pod_status_phase", "gauge");
  for (const pod of pods) {
    for (const phase of phases) {
      const held = (pod.status.phase ?? "Pending") === phase;
      page.sample("kube_pod_status_phase", { ...podLabels(pod), phase }, held ? 1 : 0);
    }
  }
  page.family("kube_pod_status_ready", "gauge");
  for (const pod of pods) {
    const ready = conditionOf(pod.status.conditions, "Ready")?.status === "True";
    for (const condition of ["true", "false"]) {
      const held = ready === (condition === "true");
      page.sample("kube_pod_status_ready", { ...podLabels(pod), condition }, held ? 1 : 0);
    }
  }
}

function writeContainers(page: Page, pods: readonly Pod[]): void {
  const statuses = pods.flatMap((pod) =>
    (pod.status.containerStatuses ?? []).map((status) => ({
      status,
      labels: { ...podLabels(pod), container: status.name },
    })),
  );
  page.family("kube_pod_container_info", "gauge");
  for (const { status, labels } of statuses) {
    page.sample("kube_pod_container_info", { ...labels, image: status.image }, 1);
  }
  page.family("kube_pod_container_status_restarts_total", "counter");
  for (const { status, labels } of statuses) {
    page.sample("kube_pod_container_status_restarts_total", labels, status.restartCount);
  }
  page.family("kube_pod_container_status_ready", "gauge");
  for (const { status, labels } of statuses) {
    page.sample("kube_pod_container_status_ready", labels, status.ready ? 1 : 0);
  }
  page.family("kube_pod_container_status_waiting_reason", "gauge");
  for (const { status, labels } of statuses) {
    const reason = stringAt(status.state, "waiting", "reason");
    if (reason !== undefined) {
      page.sample("kube_pod_container_status_waiting_reason", { ...labels, reason }, 1);
    }
  }
  page.family("kube_pod_container_status_last_terminated_reason", "gauge");
  for (const { status, labels } of statuses) {
    const reason = stringAt(status.lastState, "terminated", "reason");
    if (reason !== undefined) {
      page.sample("kube_pod_container_status_last_terminated_reason", { ...labels, reason }, 1);
    }
  }
  page.family("kube_pod_container_status_last_terminated_exitcode", "gauge");
  for (const { status, labels } of statuses) {
    const code = numberAt(status.lastState, "terminated", "exitCode");
    if (code !== undefined) {
      page.sample("kube_pod_container_status_last_terminated_exitcode", labels, code);
    }
  }
  writeResources(page, pods);
}

function writeResources(page: Page, pods: readonly Pod[]): void {
  for (const part of ["requests", "limits"]) {
    const name = `kube_pod_container_resource_${part}`;
    page.family(name, "gauge");
    for (const pod of pods) {
      for (const container of listAt(pod.spec, "containers")) {
        const owner = { ...podLabels(pod), container: stringAt(container, "name") ?? "" };
        for (const [resource, quantity] of Object.entries(mapAt(container, "resources", part))) {
          if (typeof quantity !== "string" && typeof quantity !== "number") continue;
          const value = parseQuantity(quantity);
          const unit = resource === "cpu" ? "core" : "byte";
          if (value !== undefined) page.sample(name, { ...owner, resource, unit }, value);
        }
      }
    }
  }
}

function podLabels(pod: Pod): Labels {
  const { namespace = "default", name, uid = "" } = pod.metadata;
  return { namespace, pod: name, uid };
}

function secondsOf(timestamp: string | undefined): number | undefined {
  return timestamp === undefined ? undefined : Date.parse(timestamp) / 1000;
}
