import { invariant } from "@skopos/model";
import { coreSchemas } from "./schema-core.ts";
import { istioSchemas } from "./schema-istio.ts";
import { parseSchemas, type SchemaSet, type StructSchema } from "./schema.ts";
import type { Subject } from "./status-error.ts";

/**
 * The kinds this API serves, as data. All served versions of a kind share one storage; the first version is the one
 * objects are stored in.
 */
export type Kind = Subject & {
  versions: readonly string[];
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  subresources: readonly string[];
  /** How it lives: in storage; answered from the node agent; or only created, never kept (reviews). */
  source: "stored" | "usage" | "review";
  /** Defined by a CustomResourceDefinition: strategic merge is refused, unknown fields go with a warning. */
  custom: boolean;
  /** The root type per version, where a version has a shape of its own (events.k8s.io). */
  schema: StructSchema;
};

const schemas: SchemaSet = parseSchemas(coreSchemas + istioSchemas);

export function schemaNamed(name: string): StructSchema {
  const schema = schemas.get(name);
  invariant(schema !== undefined, `schema ${name} exists`);
  return schema;
}

type Row = readonly [kind: string, plural: string, flags: string, extra?: Partial<Kind>];

/** Flags: `c` cluster-scoped, `s` with /status, `a` in category "all", `r` with /scale. */
const builtIn: Readonly<Record<string, readonly Row[]>> = {
  "/v1": [
    ["Namespace", "namespaces", "cs", { shortNames: ["ns"] }],
    ["Node", "nodes", "cs", { shortNames: ["no"] }],
    ["Pod", "pods", "sa", { shortNames: ["po"], subresources: ["status", "log", "eviction"] }],
    ["Service", "services", "sa", { shortNames: ["svc"] }],
    ["Endpoints", "endpoints", "", { shortNames: ["ep"], singular: "endpoints" }],
    ["ConfigMap", "configmaps", "", { shortNames: ["cm"] }],
    ["Secret", "secrets", ""],
    ["ServiceAccount", "serviceaccounts", "", { shortNames: ["sa"] }],
    ["Event", "events", "", { shortNames: ["ev"] }],
  ],
  "apps/v1": [
    ["Deployment", "deployments", "sar", { shortNames: ["deploy"] }],
    ["ReplicaSet", "replicasets", "sar", { shortNames: ["rs"] }],
    ["StatefulSet", "statefulsets", "sar", { shortNames: ["sts"] }],
    ["DaemonSet", "daemonsets", "sa", { shortNames: ["ds"] }],
  ],
  "discovery.k8s.io/v1": [["EndpointSlice", "endpointslices", ""]],
  "events.k8s.io/v1": [
    ["Event", "events", "", { shortNames: ["ev"], schema: schemaNamed("EventsEvent") }],
  ],
  "policy/v1": [["PodDisruptionBudget", "poddisruptionbudgets", "s", { shortNames: ["pdb"] }]],
  "autoscaling/v2": [
    ["HorizontalPodAutoscaler", "horizontalpodautoscalers", "sa", { shortNames: ["hpa"] }],
  ],
  "coordination.k8s.io/v1": [["Lease", "leases", ""]],
  "metrics.k8s.io/v1beta1": [
    ["PodMetrics", "pods", "", { source: "usage", singular: "" }],
    ["NodeMetrics", "nodes", "c", { source: "usage", singular: "" }],
  ],
  "authorization.k8s.io/v1": [
    ["SelfSubjectAccessReview", "selfsubjectaccessreviews", "c", { source: "review" }],
  ],
  "apiextensions.k8s.io/v1": [
    [
      "CustomResourceDefinition",
      "customresourcedefinitions",
      "cs",
      { shortNames: ["crd", "crds"], categories: ["api-extensions"] },
    ],
  ],
};

const istioVersions = ["v1", "v1beta1", "v1alpha3"];
const istio: Readonly<Record<string, readonly Row[]>> = {
  "networking.istio.io": [
    ["VirtualService", "virtualservices", "s", { shortNames: ["vs"], versions: istioVersions }],
    ["DestinationRule", "destinationrules", "s", { shortNames: ["dr"], versions: istioVersions }],
    ["Gateway", "gateways", "s", { shortNames: ["gw"], versions: istioVersions }],
    ["ServiceEntry", "serviceentries", "s", { shortNames: ["se"], versions: istioVersions }],
    ["Sidecar", "sidecars", "s", { versions: istioVersions }],
    ["EnvoyFilter", "envoyfilters", "s", { versions: ["v1alpha3"] }],
    ["WorkloadEntry", "workloadentries", "s", { shortNames: ["we"], versions: istioVersions }],
    ["WorkloadGroup", "workloadgroups", "s", { shortNames: ["wg"], versions: istioVersions }],
  ],
  "security.istio.io": [
    [
      "PeerAuthentication",
      "peerauthentications",
      "s",
      { shortNames: ["pa"], versions: ["v1", "v1beta1"] },
    ],
    [
      "AuthorizationPolicy",
      "authorizationpolicies",
      "s",
      { shortNames: ["ap"], versions: ["v1", "v1beta1"] },
    ],
    [
      "RequestAuthentication",
      "requestauthentications",
      "s",
      { shortNames: ["ra"], versions: ["v1", "v1beta1"] },
    ],
  ],
  "telemetry.istio.io": [
    ["Telemetry", "telemetries", "s", { shortNames: ["telemetry"], versions: ["v1", "v1alpha1"] }],
  ],
};

function kindOf(group: string, versions: readonly string[], row: Row, custom: boolean): Kind {
  const [kind, plural, flags, extra = {}] = row;
  const categories = custom ? ["istio-io", group.replace(/\.io$/, "-io").replace(".", "-")] : [];
  const subresources = flags.includes("s") ? ["status"] : [];
  if (flags.includes("r")) subresources.push("scale");
  if (flags.includes("a")) categories.push("all");
  return {
    group,
    versions,
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories,
    namespaced: !flags.includes("c"),
    subresources,
    source: "stored",
    custom,
    schema: extra.schema ?? schemaNamed(kind),
    ...extra,
  };
}

function allKinds(): Kind[] {
  const kinds: Kind[] = [];
  for (const [groupVersion, rows] of Object.entries(builtIn)) {
    const [group = "", version = ""] = groupVersion.split("/");
    for (const row of rows) kinds.push(kindOf(group, [version], row, false));
  }
  for (const [group, rows] of Object.entries(istio)) {
    for (const row of rows) kinds.push(kindOf(group, ["v1"], row, true));
  }
  return kinds;
}

export const kinds: readonly Kind[] = allKinds();

const byName = new Map<string, Kind>();
const byResource = new Map<string, Kind>();
for (const kind of kinds) {
  if (!byName.has(kind.kind)) byName.set(kind.kind, kind);
  for (const version of kind.versions) {
    byResource.set(`${kind.group}/${version}/${kind.plural}`, kind);
  }
}

/** The kind of that name; `Event` is the core one. */
export function kindNamed(name: string): Kind | undefined {
  return byName.get(name);
}

export function kindOfResource(group: string, version: string, plural: string): Kind | undefined {
  return byResource.get(`${group}/${version}/${plural}`);
}

/** Kinds that are one storage: events.k8s.io events are core events in another shape. */
export function storageOf(kind: Kind): Kind {
  return byName.get(kind.kind) ?? kind;
}

export function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  if (slash === -1) return { group: "", version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export function apiVersionOf(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The version objects of this kind are stored in. */
export function storedApiVersion(kind: Kind): string {
  return apiVersionOf(kind.group, kind.versions[0] ?? "v1");
}
