import { EventEmitter, on } from "node:events";
import { systemClock } from "@skopos/model";
import type { KubeApi } from "./api.ts";
import type { ContainerUsage, LogOptions, NodeAgent } from "./node-agent.ts";
import { type Pod, timestamp } from "./object.ts";

/**
 * A node agent for tests: really walks pods through their life cycle in the store, runs nothing. A pod whose image ends
 * in `:broken` never becomes ready.
 */
export class TestNode implements NodeAgent {
  private nextAddress = 2;
  /** Emits "line" to all who follow, and "unfollowed" when one of them has stopped. */
  readonly output = new EventEmitter();
  private api: KubeApi | undefined;

  /** Begins to serve the pods of `api`; returns how to stop. */
  attach(api: KubeApi): () => void {
    this.api = api;
    return api.store.watch("Pod", ({ object }) => {
      // Events tell of the past; what to do depends on the present.
      const pod = api.store.get("Pod", object.metadata.namespace, object.metadata.name);
      if (pod === undefined) return;
      if (pod.metadata.deletionTimestamp !== undefined) this.finish(pod);
      else if (pod.spec.nodeName !== undefined && pod.status.podIP === undefined) this.start(pod);
    });
  }

  logs(
    _namespace: string,
    _pod: string,
    container: string,
    options: LogOptions,
  ): AsyncIterable<string> | string[] {
    const all = [`${container} is listening`, "request 1", "request 2"];
    const present = options.tailLines === undefined ? all : all.slice(-options.tailLines);
    return options.follow === true ? this.follow(present, options.signal) : present;
  }

  private async *follow(present: string[], signal: AbortSignal | undefined): AsyncIterable<string> {
    yield* present;
    try {
      const written = on(this.output, "line", signal === undefined ? {} : { signal });
      for await (const [line] of written) yield String(line);
    } finally {
      this.output.emit("unfollowed");
    }
  }

  usage(): ContainerUsage[] {
    const pods = this.api?.store.list("Pod") ?? [];
    return pods.flatMap((pod) =>
      pod.spec.containers.map(({ name }) => ({
        namespace: pod.metadata.namespace ?? "",
        pod: pod.metadata.name,
        container: name,
        cpuCores: 0.025,
        memoryBytes: 40 * 2 ** 20,
      })),
    );
  }

  private finish({ metadata }: Pod): void {
    const { store } = this.api ?? {};
    store?.delete("Pod", metadata.namespace, metadata.name, { gracePeriodSeconds: 0 });
  }

  private start(pod: Pod): void {
    const broken = pod.spec.containers.some(({ image }) => image.endsWith(":broken"));
    const now = timestamp(systemClock.nowMs());
    const ip = `10.244.0.${this.nextAddress++}`;
    const ready = broken ? "False" : "True";
    const status = {
      phase: "Running",
      podIP: ip,
      podIPs: [{ ip }],
      hostIP: "127.0.0.1",
      startTime: now,
      conditions: ["Initialized", "Ready", "ContainersReady"].map((type) => ({
        type,
        status: type === "Initialized" ? "True" : ready,
        lastTransitionTime: now,
      })),
      containerStatuses: pod.spec.containers.map(({ name, image }) => ({
        name,
        image,
        imageID: "",
        ready: !broken,
        restartCount: 0,
        started: true,
        state: { running: { startedAt: now } },
      })),
    };
    const { namespace, name } = pod.metadata;
    const options = { subresource: "status" as const, fieldManager: "kubelet" };
    this.api?.store.patch("Pod", namespace, name, "strategic", { status }, options);
  }
}
