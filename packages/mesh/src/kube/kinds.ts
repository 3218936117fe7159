/** The kinds this room works with, and where the API keeps them. Secrets are left out on purpose: they are never read. */
import { SkoposError } from "@skopos/model";

export interface KindInfo {
  readonly apiVersion: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const networking = "networking.istio.io/v1";
const security = "security.istio.io/v1";

const kinds: Readonly<Record<string, KindInfo>> = {
  Namespace: { apiVersion: "v1", plural: "namespaces", namespaced: false },
  Pod: { apiVersion: "v1", plural: "pods", namespaced: true },
  Service: { apiVersion: "v1", plural: "services", namespaced: true },
  Endpoints: { apiVersion: "v1", plural: "endpoints", namespaced: true },
  ConfigMap: { apiVersion: "v1", plural: "configmaps", namespaced: true },
  EndpointSlice: {
    apiVersion: "discovery.k8s.io/v1",
    plural: "endpointslices",
    namespaced: true,
  },
  Deployment: { apiVersion: "apps/v1", plural: "deployments", namespaced: true },
  ReplicaSet: { apiVersion: "apps/v1", plural: "replicasets", namespaced: true },
  DestinationRule: { apiVersion: networking, plural: "destinationrules", namespaced: true },
  VirtualService: { apiVersion: networking, plural: "virtualservices", namespaced: true },
  Gateway: { apiVersion: networking, plural: "gateways", namespaced: true },
  ServiceEntry: { apiVersion: networking, plural: "serviceentries", namespaced: true },
  PeerAuthentication: { apiVersion: security, plural: "peerauthentications", namespaced: true },
  AuthorizationPolicy: { apiVersion: security, plural: "authorizationpolicies", namespaced: true },
};

/** Throws `invalid` for a kind that is not in the table. */
export function kindInfo(kind: string): KindInfo {
  const info = kinds[kind];
  if (!info) throw new SkoposError("invalid", `${kind} is not a kind that Skopos works with`);
  return info;
}

/** The API path of a collection, or of one object when `name` is given. */
export function pathOf(kind: string, namespace?: string, name?: string): string {
  const { apiVersion, plural, namespaced } = kindInfo(kind);
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope =
    namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}
