/**
 * Discovers scrape targets through the Kubernetes API. Objects of the role, and those it is joined with, are watched;
 * changes are gathered for a moment and handed on as whole target groups. Nothing is handed on before every collection was
 * listed once, and nothing is taken back while the API cannot be reached.
 */
import type { Clock } from "@skopos/model";
import type { Discovery } from "./discovery.ts";
import type { TargetGroup } from "../scrape/target.ts";
import type { KubernetesRole } from "./roles.ts";
import { type KubeApi, type KubeObject, Reflector } from "./reflector.ts";
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
  readonly api: KubeApi;
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
  readonly #reflectors: ReadonlyMap<KubernetesRole, readonly Reflector[]>;
  #cancelGather: (() => void) | undefined;
  #stopped = false;

  constructor(options: KubernetesDiscoveryOptions) {
    this.#options = options;
    const roles = new Set([options.role, ...joined[options.role]]);
    if (options.attachNode && roles.has("pod")) roles.add("node");
    this.#reflectors = new Map([...roles].map((role) => [role, this.#watchAll(role)]));
  }

  #watchAll(role: KubernetesRole): Reflector[] {
    const { api, clock, namespaces, selectors } = this.#options;
    const [group, plural] = paths[role];
    const selector = selectors.find((each) => each.role === role);
    const scopes =
      role === "node" || namespaces.length === 0
        ? [""]
        : namespaces.map((namespace) => `/namespaces/${encodeURIComponent(namespace)}`);
    return scopes.map(
      (scope) =>
        new Reflector({
          api,
          path: `${group}${scope}/${plural}`,
          labelSelector: selector?.label ?? "",
          fieldSelector: selector?.field ?? "",
          clock,
          onChange: () => this.#changed(),
        }),
    );
  }

  start(): void {
    for (const reflector of this.#all()) reflector.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelGather?.();
    await Promise.all(this.#all().map((reflector) => reflector.stop()));
  }

  /** What keeps discovery from working now, "" when nothing does. */
  get lastError(): string {
    return this.#all().find((reflector) => reflector.lastError !== "")?.lastError ?? "";
  }

  #all(): Reflector[] {
    return [...this.#reflectors.values()].flat();
  }

  #changed(): void {
    if (this.#cancelGather || this.#stopped) return;
    this.#cancelGather = this.#options.clock.after(gatherMs, () => {
      this.#cancelGather = undefined;
      if (this.#all().every((reflector) => reflector.synced))
        this.#options.onGroups(this.#groups());
    });
  }

  #objects(role: KubernetesRole): Map<string, KubeObject> {
    const reflectors = this.#reflectors.get(role) ?? [];
    return new Map(reflectors.flatMap((reflector) => [...reflector.objects]));
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
