import { type Json, listAt, numberAt, stringAt, valueAt } from "../json.ts";
import type { KubeObject } from "../object.ts";
import { ageColumn, at, type Column, column, nameColumn, since, wide } from "./columns.ts";

/** Pods as `kubectl get pods` shows them, after kubernetes `pkg/printers/internalversion` printPod. */
function conditionTrue(pod: KubeObject, type: string): boolean {
  return listAt(pod, "status", "conditions").some(
    (each) => stringAt(each, "type") === type && stringAt(each, "status") === "True",
  );
}

function stateReason(state: Json | undefined): string | undefined {
  const waiting = stringAt(state, "waiting", "reason") ?? "";
  if (waiting !== "") return waiting;
  const terminated = valueAt(state, "terminated");
  if (terminated === undefined) return undefined;
  const reason = stringAt(terminated, "reason") ?? "";
  if (reason !== "") return reason;
  const signal = numberAt(terminated, "signal") ?? 0;
  if (signal !== 0) return `Signal:${signal}`;
  return `ExitCode:${numberAt(terminated, "exitCode") ?? 0}`;
}

function initReason(pod: KubeObject): string | undefined {
  const total = listAt(pod, "spec", "initContainers").length;
  const statuses = listAt(pod, "status", "initContainerStatuses");
  for (const [index, status] of statuses.entries()) {
    const state = valueAt(status, "state");
    if (numberAt(state, "terminated", "exitCode") === 0) continue;
    const reason = stateReason(state);
    if (reason !== undefined && reason !== "PodInitializing") return `Init:${reason}`;
    return `Init:${index}/${total}`;
  }
  return undefined;
}

function containersReason(pod: KubeObject, reason: string): string {
  let result = reason;
  let hasRunning = false;
  for (const status of listAt(pod, "status", "containerStatuses").toReversed()) {
    const state = valueAt(status, "state");
    const own = stateReason(state);
    if (own !== undefined) result = own;
    else if (valueAt(status, "ready") === true && valueAt(state, "running") !== undefined) {
      hasRunning = true;
    }
  }
  if (result === "Completed" && hasRunning) {
    return conditionTrue(pod, "Ready") ? "Running" : "NotReady";
  }
  return result;
}

function podReason(pod: KubeObject): string {
  const phase = stringAt(pod, "status", "phase") ?? "Unknown";
  const own = stringAt(pod, "status", "reason") ?? "";
  const reason = initReason(pod) ?? containersReason(pod, own === "" ? phase : own);
  if (pod.metadata.deletionTimestamp !== undefined) {
    return own === "NodeLost" ? "Unknown" : "Terminating";
  }
  return reason;
}

function restarts(pod: KubeObject, nowMs: number): string {
  let count = 0;
  let last = "";
  for (const status of listAt(pod, "status", "containerStatuses")) {
    count += numberAt(status, "restartCount") ?? 0;
    const finished = stringAt(status, "lastState", "terminated", "finishedAt") ?? "";
    if (finished > last) last = finished;
  }
  return count > 0 && last !== "" ? `${count} (${since(last, nowMs)} ago)` : String(count);
}

function ready(pod: KubeObject): string {
  const total = listAt(pod, "spec", "containers").length;
  const up = listAt(pod, "status", "containerStatuses").filter(
    (each) => valueAt(each, "ready") === true && valueAt(each, "state", "running") !== undefined,
  );
  return `${up.length}/${total}`;
}

const orNone = (path: readonly string[]) => (pod: KubeObject) => {
  const text = at(...path)(pod);
  return text === "" ? "<none>" : text;
};

export const podColumns: readonly Column[] = [
  nameColumn,
  column("Ready", ready),
  column("Status", podReason),
  column("Restarts", restarts),
  ageColumn,
  wide("IP", orNone(["status", "podIP"])),
  wide("Node", orNone(["spec", "nodeName"])),
  wide("Nominated Node", orNone(["status", "nominatedNodeName"])),
  wide("Readiness Gates", () => "<none>"),
];
