/** The resource channel: what a workload's containers have, use and lose. Kept apart from latency and errors on purpose. */
import {
  deploymentsOf,
  listAt,
  numberAt,
  percent,
  podsOf,
  quoted,
  replicasOf,
  textAt,
} from "@skopos/mesh";
import { metricEvidence, nameOf, topologyEvidence } from "./evidence.ts";
import type { Scene, Support } from "./scene.ts";
import { between, type Series, shiftOf } from "./statistics.ts";
import { weights } from "./weights.ts";

const podMatch = (node: string) =>
  `namespace=${quoted(node.split("/")[0] ?? "")}, pod=~${quoted(`${nameOf(node)}-.*`)}, container!=""`;

function lastOf(series: Series, scene: Scene): number | undefined {
  const { startMs, endMs } = scene.windows.incident;
  return between(series, startMs, endMs).at(-1);
}

/** CPU near its limit, held back, or much more used than usual. */
export function cpuPressure(
  scene: Scene,
  node: string,
): { atLimit: Support | undefined; grew: Support | undefined } {
  const signals = scene.signals.nodes.get(node);
  if (!signals) return { atLimit: undefined, grew: undefined };
  const window = scene.signals.window;
  const query = `sum(rate(container_cpu_usage_seconds_total{${podMatch(node)}}[${window}]))`;
  const used = lastOf(signals.cpuCores, scene);
  const shift = shiftOf(signals.cpuCores, scene.windows);
  const limit = signals.cpuLimitCores;
  const held = shiftOf(signals.throttledRatio, scene.windows);
  const throttledNow = lastOf(signals.throttledRatio, scene);
  let atLimit: Support | undefined;
  if (throttledNow !== undefined && throttledNow > 0.2 && (held?.excess ?? throttledNow) > 0.1)
    atLimit = metricEvidence(
      scene,
      {
        id: `throttled:${node}`,
        statement: `The containers of ${nameOf(node)} are held back in ${percent(throttledNow)} of their CPU periods`,
        query: `sum(rate(container_cpu_cfs_throttled_periods_total{${podMatch(node)}}[${window}])) / sum(rate(container_cpu_cfs_periods_total{${podMatch(node)}}[${window}]))`,
        unit: "ratio",
        series: signals.throttledRatio,
        shift: held,
      },
      weights.cpuAtLimit,
    );
  else if (used !== undefined && limit !== undefined && used > 0.85 * limit)
    atLimit = metricEvidence(
      scene,
      {
        id: `cpu-limit:${node}`,
        statement: `${nameOf(node)} uses ${used.toFixed(2)} of the ${limit.toFixed(2)} cores it may use`,
        query,
        unit: "cores",
        series: signals.cpuCores,
        shift,
      },
      weights.cpuAtLimit,
    );
  const grew =
    shift && shift.before > 0 && shift.now > 1.5 * shift.before && shift.score > 4
      ? metricEvidence(
          scene,
          {
            id: `cpu:${node}`,
            statement: `${nameOf(node)} uses ${shift.now.toFixed(2)} cores, usually ${shift.before.toFixed(2)}`,
            query,
            unit: "cores",
            series: signals.cpuCores,
            shift,
          },
          weights.cpuGrew,
        )
      : undefined;
  return { atLimit, grew };
}

export function memoryPressure(scene: Scene, node: string): Support | undefined {
  const signals = scene.signals.nodes.get(node);
  const killed = deploymentsOf(scene.store, node)
    .flatMap((deployment) => podsOf(scene.store, deployment))
    .flatMap((pod) => listAt(pod, "status", "containerStatuses"))
    .filter((status) => {
      const finished = Date.parse(textAt(status, "lastState", "terminated", "finishedAt") ?? "");
      return (
        textAt(status, "lastState", "terminated", "reason") === "OOMKilled" &&
        !(finished < scene.onsetMs - 120_000)
      );
    }).length;
  const used = signals ? lastOf(signals.memoryBytes, scene) : undefined;
  const limit = signals?.memoryLimitBytes;
  const full = used !== undefined && limit !== undefined && limit > 0 && used > 0.9 * limit;
  if (!signals || (killed === 0 && !full)) return undefined;
  return metricEvidence(
    scene,
    {
      id: `memory:${node}`,
      statement:
        killed > 0
          ? `${killed} container${killed > 1 ? "s" : ""} of ${nameOf(node)} ended for lack of memory`
          : `${nameOf(node)} uses ${percent((used ?? 0) / (limit ?? 1))} of its memory limit`,
      query: `sum(container_memory_working_set_bytes{${podMatch(node)}})`,
      unit: "bytes",
      series: signals.memoryBytes,
      shift: shiftOf(signals.memoryBytes, scene.windows),
    },
    weights.memoryAtLimit,
  );
}

/** Containers of the node that keep ending since about the onset. */
export function endingContainers(scene: Scene, node: string): Support | undefined {
  const signals = scene.signals.nodes.get(node);
  const rising = signals ? restartsSince(signals.restarts, scene) : 0;
  const waiting = deploymentsOf(scene.store, node)
    .flatMap((deployment) => podsOf(scene.store, deployment))
    .flatMap((pod) => listAt(pod, "status", "containerStatuses"))
    .filter((status) =>
      /CrashLoopBackOff|Error|RunContainerError/.test(
        textAt(status, "state", "waiting", "reason") ??
          textAt(status, "state", "terminated", "reason") ??
          "",
      ),
    ).length;
  const live = scene.changes.filter(
    ({ change }) =>
      change.kind === "restart" &&
      change.object.kind === "pod" &&
      change.serviceId === node &&
      change.at >= scene.onsetMs - 60_000,
  ).length;
  const count = Math.max(rising, waiting, live);
  if (count === 0) return undefined;
  const statement = `${count} container${count > 1 ? "s" : ""} of ${nameOf(node)} ended since the trouble began`;
  if (!signals)
    return topologyEvidence(`restarts:${node}`, statement, [node], weights.containersEnd);
  return metricEvidence(
    scene,
    {
      id: `restarts:${node}`,
      statement,
      query: `sum(kube_pod_container_status_restarts_total{namespace=${quoted(node.split("/")[0] ?? "")}, pod=~${quoted(`${nameOf(node)}-.*`)}})`,
      unit: "count",
      series: signals.restarts,
      shift: shiftOf(signals.restarts, scene.windows),
    },
    weights.containersEnd,
  );
}

/** Rises only: the sum falls when pods are replaced. */
function restartsSince(series: Series, scene: Scene): number {
  let rises = 0;
  for (let i = 1; i < series.times.length; i++) {
    const time = series.times[i] ?? 0;
    const step = (series.values[i] ?? 0) - (series.values[i - 1] ?? 0);
    if (time >= scene.onsetMs - 30_000 && step > 0) rises += step;
  }
  return rises;
}

/** Fewer replicas ready than there should be. */
export function missingReplicas(scene: Scene, node: string): Support | undefined {
  const deployments = deploymentsOf(scene.store, node);
  const replicas = deployments.map(replicasOf);
  const desired = replicas.reduce((sum, item) => sum + item.desired, 0);
  const ready = replicas.reduce((sum, item) => sum + item.ready, 0);
  if (deployments.length === 0 || (desired > 0 && ready >= desired)) return undefined;
  const waited = deployments
    .map((item) => numberAt(item, "status", "unavailableReplicas"))
    .find((value) => value !== undefined);
  const more = waited === undefined ? "" : `, ${waited} unavailable`;
  return topologyEvidence(
    `replicas:${node}`,
    desired === 0
      ? `${nameOf(node)} is scaled to no replicas`
      : `${ready} of ${desired} replicas of ${nameOf(node)} are ready${more}`,
    [node],
    desired === 0 ? weights.replicasMissing : weights.replicasMissing * (1 - ready / desired),
  );
}
