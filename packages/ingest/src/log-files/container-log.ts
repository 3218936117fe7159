/**
 * Container logs as the kubelet lays them down: a file per container and restart, in directories named after the pod, of
 * lines in the CRI format `<RFC 3339 time> <stdout|stderr> <P|F> <text>`, where P says that the line goes on.
 * Source: kubernetes/design-proposals "CRI: Log management for container stdout/stderr streams"; pkg/kubelet/kuberuntime/logs.
 */

export interface ContainerPath {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
}

const podDirectory = /^([a-z0-9-]{1,63})_([a-z0-9.-]{1,253})_([0-9a-zA-Z-]{1,64})$/;

/** What the directories `<namespace>_<pod>_<uid>/<container>` say; undefined for others. */
export function containerOf(podDir: string, containerDir: string): ContainerPath | undefined {
  const found = podDirectory.exec(podDir);
  if (!found || !/^[a-z0-9-]{1,63}$/.test(containerDir)) return undefined;
  const [, namespace = "", pod = "", uid = ""] = found;
  return { namespace, pod, uid, container: containerDir };
}

/** Whether a file of a container's directory is a log: `0.log`, and when rotated `0.log.20060102-150405`. */
export function isLogFile(name: string): boolean {
  return /^\d+\.log(?:\.\d{8}-\d{6})?$/.test(name);
}

export function isRotated(name: string): boolean {
  return !name.endsWith(".log");
}

/** A pod's name without what its ReplicaSet, DaemonSet, Job or StatefulSet put behind it: all that is known offline. */
export function workloadOf(pod: string): string {
  const withoutHash = pod.replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}$/, "");
  if (withoutHash !== pod)
    return withoutHash.replace(/-[bcdfghjklmnpqrstvwxz2456789]{6,10}$/, "") || pod;
  return pod.replace(/-\d{1,4}$/, "") || pod;
}

export interface CriLine {
  readonly timeNs: bigint;
  readonly stream: string;
  readonly partial: boolean;
  readonly text: string;
}

const criLine =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) (stdout|stderr) ([PF])(?::\S*)? ?/;

/** Undefined when the line is not in the format. */
export function parseCriLine(line: string): CriLine | undefined {
  const found = criLine.exec(line);
  if (!found) return undefined;
  const [head, second = "", fraction = "", zone = "", stream = "", tag = ""] = found;
  const wholeMs = Date.parse(`${second}${zone}`);
  if (!Number.isFinite(wholeMs)) return undefined;
  const timeNs = BigInt(wholeMs) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
  return { timeNs, stream, partial: tag === "P", text: line.slice(head.length) };
}
