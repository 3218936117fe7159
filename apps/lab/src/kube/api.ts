import type { Clock } from "@skopos/model";
import { defaultNode, type NodeShape, startControlPlane } from "./control-plane.ts";
import type { EventRecorder } from "./events.ts";
import { createHttpFace } from "./http/server.ts";
import type { NodeAgent } from "./node-agent.ts";
import { KubeStore } from "./store.ts";
import type { StorageLimits } from "./storage.ts";

/** The lab's Kubernetes API: storage, controllers and the HTTP face that real clients talk to. */
export type KubeApiOptions = {
  clock: Clock;
  /** Answers logs and usage; without one, both are refused. */
  nodeAgent?: NodeAgent;
  log?: (message: string) => void;
  /** The node that pods are scheduled to. */
  node?: Partial<NodeShape>;
  limits?: StorageLimits;
  serviceCidr?: string;
  /** When set, every request must carry it as a bearer token. */
  token?: string;
};

export type KubeApi = {
  store: KubeStore;
  /** For the node agent: events of its own (Pulled, Started, Unhealthy …). */
  events: EventRecorder;
  /** Port 0 takes a free one. */
  listen(port: number, host: string): Promise<{ url: string }>;
  close(): Promise<void>;
};

export function createKubeApi(options: KubeApiOptions): KubeApi {
  const { clock, log = () => undefined } = options;
  const store = new KubeStore({
    clock,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.serviceCidr === undefined ? {} : { serviceCidr: options.serviceCidr }),
  });
  const plane = startControlPlane(store, clock, { ...defaultNode, ...options.node }, log);
  const { nodeAgent, token } = options;
  const face = createHttpFace({ store, clock, nodeAgent, token, log });
  return {
    store,
    events: plane.events,
    listen: (port, host) => face.listen(port, host),
    async close() {
      plane.stop();
      await face.close();
    },
  };
}
