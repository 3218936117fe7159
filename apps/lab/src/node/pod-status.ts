/** A pod's status as the kubelet reports it, from what is known of its run. */
import type { JsonObject } from "../kube/json.ts";
import {
  type Condition,
  conditionOf,
  type ContainerStatus,
  type Pod,
  type PodStatus,
  timestamp,
} from "../kube/object.ts";

export type RunPhase =
  | { readonly kind: "creating" }
  | { readonly kind: "running"; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly reason: string; readonly message: string };

export interface PodRunState {
  readonly phase: RunPhase;
  readonly ready: boolean;
  readonly restarts: number;
  readonly address: string | undefined;
  readonly nodeAddress: string;
  readonly startedMs: number;
  readonly lastExit:
    | {
        readonly code: number;
        readonly reason: string;
        readonly startedMs: number;
        readonly finishedMs: number;
      }
    | undefined;
}

export function podStatus(pod: Pod, run: PodRunState, nowMs: number): PodStatus {
  const running = run.phase.kind === "running";
  const state = (type: string, held: boolean, reason?: string) =>
    conditionFor(pod, type, held, nowMs, reason);
  return {
    ...pod.status,
    phase: running || run.restarts > 0 ? "Running" : "Pending",
    hostIP: run.nodeAddress,
    hostIPs: [{ ip: run.nodeAddress }],
    ...(run.address === undefined ? {} : { podIP: run.address, podIPs: [{ ip: run.address }] }),
    startTime: timestamp(run.startedMs),
    conditions: [
      state("PodReadyToStartContainers", true),
      state("Initialized", true),
      state("Ready", run.ready, run.ready ? undefined : "ContainersNotReady"),
      state("ContainersReady", run.ready, run.ready ? undefined : "ContainersNotReady"),
      state("PodScheduled", true),
    ],
    containerStatuses: pod.spec.containers.map((container) => containerStatus(container, run)),
  };
}

function conditionFor(
  pod: Pod,
  type: string,
  held: boolean,
  nowMs: number,
  reason: string | undefined,
): Condition {
  const status = held ? "True" : "False";
  const before = conditionOf(pod.status.conditions, type);
  const since = before?.status === status ? before.lastTransitionTime : undefined;
  return {
    type,
    status,
    lastTransitionTime: since ?? timestamp(nowMs),
    ...(reason === undefined ? {} : { reason }),
  };
}

function containerStatus(
  container: { name: string; image: string },
  run: PodRunState,
): ContainerStatus {
  const lastState = lastStateOf(run);
  return {
    name: container.name,
    image: container.image,
    imageID: container.image,
    ready: run.ready,
    started: run.phase.kind === "running",
    restartCount: run.restarts,
    state: stateOf(run.phase),
    ...(lastState === undefined ? {} : { lastState }),
  };
}

function stateOf(phase: RunPhase): JsonObject {
  switch (phase.kind) {
    case "running":
      return { running: { startedAt: timestamp(phase.sinceMs) } };
    case "creating":
      return { waiting: { reason: "ContainerCreating" } };
    case "waiting":
      return { waiting: { reason: phase.reason, message: phase.message } };
  }
}

function lastStateOf({ lastExit }: PodRunState): JsonObject | undefined {
  if (lastExit === undefined) return undefined;
  return {
    terminated: {
      exitCode: lastExit.code,
      reason: lastExit.reason,
      startedAt: timestamp(lastExit.startedMs),
      finishedAt: timestamp(lastExit.finishedMs),
    },
  };
}
