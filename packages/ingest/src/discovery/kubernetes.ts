/**
 * Discovers scrape targets through the Kubernetes API. Objects of the role, and those it is joined with, are watched;
 * changes are gathered for a moment and handed on as whole target groups. Nothing is handed on before every collection was
 * listed once, and nothing is taken back while the API cannot be reached.
 */
import type { Clock } from "@skopos/model";
import type { Discovery } from "./discovery.ts";
import type { TargetGroup } from "../scrape/target.ts";
import type { KubernetesRole } from "./roles.ts";
import type { KubeObject } from "./reflector.ts";
import type { SharedReflectors, WatchedCollection } from "./shared-reflectors.ts";
import {
  endpointSliceTargets,
  endpointsTargets,
  ingressTargets,
  nodeTargets,
  podTargets,
  type Related,
  serviceTargets,
} from "./targets.ts";

export interface KubernetesDiscoveryOptions {
  readonly collections: SharedReflectors;
  readonly role: KubernetesRole;
  /** None: all of them. */
  readonly namespaces: readonly string[];
  readonly selectors: readonly {
    readonly role: KubernetesRole;
    readonly label: string;
    readonly field: string;
  }[];
  /** Adds the labels of a pod's node to the pod's. */
  readonly attachNode?: boolean;
  readonly clock: Clock;
  readonly onGroups: (groups: TargetGroup[]) => void;
}

const gatherMs = 100;

const paths: Readonly<Record<KubernetesRole, readonly [group: string, plural: string]>> = {
  pod: ["/api/v1", "pods"],
  service: ["/api/v1", "services"],
  endpoints: ["/api/v1", "endpoints"],
  endpointslice: ["/apis/discovery.k8s.io/v1", "endpointslices"],
  node: ["/api/v1", "nodes"],
  ingress: ["/apis/networking.k8s.io/v1", "ingresses"],
};

const joined: Readonly<Record<KubernetesRole, readonly KubernetesRole[]>> = {
  pod: [],
  service: [],
  node: [],
  ingress: [],
  endpoints: ["pod", "service"],
  endpointslice: ["pod", "service"],
};

export class KubernetesDiscovery implements Discovery {
  readonly #options: KubernetesDiscoveryOptions;
  #watched: ReadonlyMap<KubernetesRole, readonly WatchedCollection[]> = new Map();
  #cancelGather: (() => void) | undefined;
  #stopped = false;

  constructor(options: KubernetesDiscoveryOptions) {
    this.#options = options;
  }

  #watchAll(role: KubernetesRole): WatchedCollection[] {
    const { collections, namespaces, selectors } = this.#options;
    const [group, plural] = paths[role];
    const selector = selectors.find((each) => each.role === role);
    const scopes =
      role === "node" || namespaces.length === 0
        ? [""]
        : namespaces.map((namespace) => `/namespaces/${encodeURIComponent(namespace)}`);
    return scopes.map((scope) =>
      collections.watch(
        {
          path: `${group}${scope}/${plural}`,
          labelSelector: selector?.label ?? "",
          fieldSelector: selector?.field ?? "",
        },
        () => this.#changed(),
      ),
    );
  }

  start(): void {
    const { role, attachNode } = this.#options;
    const roles = new Set([role, ...joined[role]]);
    if (attachNode && roles.has("pod")) roles.add("node");
    this.#watched = new Map([...roles].map((each) => [each, this.#watchAll(each)]));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelGather?.();
    await Promise.all(this.#all().map((collection) => collection.stop()));
  }

  /** What keeps discovery from working now, "" when nothing does. */
  get lastError(): string {
    return this.#all().find(({ lastError }) => lastError !== "")?.lastError ?? "";
  }

  #all(): WatchedCollection[] {
    return [...this.#watched.values()].flat();
  }

  #changed(): void {
    if (this.#cancelGather || this.#stopped) return;
    this.#cancelGather = this.#options.clock.after(gatherMs, () => {
      this.#cancelGather = undefined;
      if (this.#all().every(({ synced }) => synced)) this.#options.onGroups(this.#groups());
    });
  }

  #objects(role: KubernetesRole): Map<string, KubeObject> {
    const watched = this.#watched.get(role) ?? [];
    return new Map(watched.flatMap((collection) => [...collection.objects]));
  }

  #groups(): TargetGroup[] {
    const { role } = this.#options;
    const related: Related = {
      pods: this.#objects("pod"),
      services: this.#objects("service"),
      nodes: this.#objects("node"),
    };
    return [...this.#objects(role).values()].map((object) => toTargets[role](object, related));
  }
}

const toTargets: Readonly<
  Record<KubernetesRole, (object: KubeObject, related: Related) => TargetGroup>
> = {
  pod: podTargets,
  service: serviceTargets,
  node: nodeTargets,
  endpoints: endpointsTargets,
  endpointslice: endpointSliceTargets,
  ingress: ingressTargets,
};
