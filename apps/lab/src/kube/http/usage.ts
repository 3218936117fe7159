import type { JsonObject } from "../json.ts";
import { type KubeObject, timestamp } from "../object.ts";
import type { ContainerUsage } from "../node-agent.ts";
import { methodNotAllowed, notFound, StatusError } from "../status-error.ts";
import { type Exchange, sendJson, shapeOf } from "./exchange.ts";
import { filterOf, listBody, passes, shaped } from "./read.ts";
import type { Target } from "./target.ts";

/** metrics.k8s.io: what `kubectl top` shows, asked of the node agent at the time of the request. */
const windowText = "5s";

export function answerUsage(exchange: Exchange, target: Target): void {
  if (exchange.request.method !== "GET") throw methodNotAllowed();
  const shape = shapeOf(exchange);
  const all = target.kind.kind === "PodMetrics" ? podMetrics(exchange) : nodeMetrics(exchange);
  const filter = filterOf(exchange, target);
  const found = all.filter((object) => passes(filter, object));
  if (target.name === undefined) {
    sendJson(exchange, 200, listBody(exchange, target, found, {}, shape));
    return;
  }
  const [object] = found;
  if (object === undefined) throw notFound(target.kind, target.name);
  sendJson(exchange, 200, shaped(exchange, target, object, shape));
}

function usageOf({ nodeAgent }: Exchange): ContainerUsage[] {
  if (nodeAgent !== undefined) return nodeAgent.usage();
  throw new StatusError(503, "ServiceUnavailable", "no node agent is connected");
}

function quantities(cpuCores: number, memoryBytes: number): JsonObject {
  return {
    cpu: `${Math.round(cpuCores * 1e9)}n`,
    memory: `${Math.round(memoryBytes / 1024)}Ki`,
  };
}

function podMetrics(exchange: Exchange): KubeObject[] {
  const now = timestamp(exchange.clock.nowMs());
  const byPod = new Map<string, ContainerUsage[]>();
  for (const usage of usageOf(exchange)) {
    const key = `${usage.namespace}/${usage.pod}`;
    byPod.set(key, [...(byPod.get(key) ?? []), usage]);
  }
  return exchange.store.list("Pod").flatMap((pod) => {
    const { name, namespace = "", labels } = pod.metadata;
    const usages = byPod.get(`${namespace}/${name}`);
    if (usages === undefined) return [];
    return [
      {
        kind: "PodMetrics",
        apiVersion: "metrics.k8s.io/v1beta1",
        metadata: {
          name,
          namespace,
          creationTimestamp: now,
          ...(labels === undefined ? {} : { labels }),
        },
        timestamp: now,
        window: windowText,
        containers: usages.map(({ container, cpuCores, memoryBytes }) => ({
          name: container,
          usage: quantities(cpuCores, memoryBytes),
        })),
      },
    ];
  });
}

function nodeMetrics(exchange: Exchange): KubeObject[] {
  const now = timestamp(exchange.clock.nowMs());
  const usages = usageOf(exchange);
  const nodeOf = new Map(
    exchange.store
      .list("Pod")
      .map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod.spec.nodeName]),
  );
  return exchange.store.list("Node").map((node) => {
    const { name, labels } = node.metadata;
    const own = usages.filter((each) => nodeOf.get(`${each.namespace}/${each.pod}`) === name);
    const total = (pick: (usage: ContainerUsage) => number) =>
      own.reduce((sum, usage) => sum + pick(usage), 0);
    return {
      kind: "NodeMetrics",
      apiVersion: "metrics.k8s.io/v1beta1",
      metadata: {
        name,
        creationTimestamp: now,
        ...(labels === undefined ? {} : { labels }),
      },
      timestamp: now,
      window: windowText,
      usage: quantities(
        total((usage) => usage.cpuCores),
        total((usage) => usage.memoryBytes),
      ),
    };
  });
}
