import type { JsonObject } from "../json.ts";
import { apiVersionOf, type Kind, kinds } from "../kinds.ts";
import { noSuchPath } from "../status-error.ts";
import { type Exchange, sendJson } from "./exchange.ts";

/** What the API serves, derived from the kind registry: legacy discovery and the aggregated form of kubectl ≥ 1.26. */
export const serverVersion = {
  major: "1",
  minor: "32",
  gitVersion: "v1.32.4",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2025-04-22T00:00:00Z",
  goVersion: "go1.23.8",
  compiler: "gc",
  platform: "linux/amd64",
};

const storedVerbs = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

function verbsOf(kind: Kind): string[] {
  if (kind.source === "usage") return ["get", "list"];
  if (kind.source === "review") return ["create"];
  return kind.kind === "Namespace"
    ? storedVerbs.filter((verb) => verb !== "deletecollection")
    : storedVerbs;
}

type Subresource = { group: string; version: string; kind: string; verbs: string[] };

function subresourceOf(kind: Kind, version: string, name: string): Subresource {
  if (name === "scale") {
    const verbs = ["get", "patch", "update"];
    return { group: "autoscaling", version: "v1", kind: "Scale", verbs };
  }
  if (name === "eviction") {
    return { group: "policy", version: "v1", kind: "Eviction", verbs: ["create"] };
  }
  const verbs = name === "log" ? ["get"] : ["get", "patch", "update"];
  return { group: kind.group, version, kind: kind.kind, verbs };
}

/** Group names in the order they are first registered, the core group left out. */
const groupNames = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== "");

function versionsOf(group: string): string[] {
  return [
    ...new Set(kinds.filter((kind) => kind.group === group).flatMap((kind) => kind.versions)),
  ];
}

function kindsOf(group: string, version: string): Kind[] {
  return kinds.filter((kind) => kind.group === group && kind.versions.includes(version));
}

export function groupVersions(): { group: string; version: string }[] {
  return ["", ...groupNames].flatMap((group) =>
    versionsOf(group).map((version) => ({ group, version })),
  );
}

function apiGroup(group: string): JsonObject {
  const versions = versionsOf(group).map((version) => ({
    groupVersion: apiVersionOf(group, version),
    version,
  }));
  return { name: group, versions, preferredVersion: versions[0] ?? {} };
}

function resourceList(group: string, version: string): JsonObject {
  const resources = kindsOf(group, version).flatMap((kind): JsonObject[] => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: verbsOf(kind),
      ...(kind.shortNames.length > 0 ? { shortNames: [...kind.shortNames] } : {}),
      ...(kind.categories.length > 0 ? { categories: [...kind.categories] } : {}),
    },
    ...kind.subresources.map((name): JsonObject => {
      const sub = subresourceOf(kind, version, name);
      const foreign = sub.group !== kind.group || sub.version !== version;
      return {
        name: `${kind.plural}/${name}`,
        singularName: "",
        namespaced: kind.namespaced,
        kind: sub.kind,
        verbs: sub.verbs,
        ...(foreign ? { group: sub.group, version: sub.version } : {}),
      };
    }),
  ]);
  const groupVersion = apiVersionOf(group, version);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
}

function aggregatedVersion(group: string, version: string): JsonObject {
  return {
    version,
    freshness: "Current",
    resources: kindsOf(group, version).map((kind) => ({
      resource: kind.plural,
      responseKind: { group, version, kind: kind.kind },
      scope: kind.namespaced ? "Namespaced" : "Cluster",
      singularResource: kind.singular,
      verbs: verbsOf(kind),
      ...(kind.shortNames.length > 0 ? { shortNames: [...kind.shortNames] } : {}),
      ...(kind.categories.length > 0 ? { categories: [...kind.categories] } : {}),
      ...(kind.subresources.length > 0
        ? {
            subresources: kind.subresources.map((name) => {
              const sub = subresourceOf(kind, version, name);
              const responseKind = { group: sub.group, version: sub.version, kind: sub.kind };
              return { subresource: name, responseKind, verbs: sub.verbs };
            }),
          }
        : {}),
    })),
  };
}

function aggregated(groups: readonly string[], version: string): JsonObject {
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versionsOf(group).map((each) => aggregatedVersion(group, each)),
    })),
  };
}

/** The aggregated version a client asks for first, if any. */
function aggregatedAsked(exchange: Exchange): string | undefined {
  const accept = exchange.request.headers.accept ?? "";
  const match =
    /v=(v2|v2beta1);as=APIGroupDiscoveryList|as=APIGroupDiscoveryList;v=(v2|v2beta1)/.exec(
      accept.replaceAll(" ", ""),
    );
  return match?.[1] ?? match?.[2];
}

/** Answers `/api`, `/apis`, `/apis/<group>` and the resource lists; false where the path is none of them. */
export function answerDiscovery(exchange: Exchange): boolean {
  const parts = exchange.url.pathname.split("/").filter((part) => part !== "");
  const [root, first, second] = parts;
  if (root === "api" && parts.length <= 2) {
    if (first === undefined) answerRoot(exchange, [""], { kind: "APIVersions", versions: ["v1"] });
    else if (first === "v1") sendJson(exchange, 200, resourceList("", "v1"));
    else throw noSuchPath();
    return true;
  }
  if (root !== "apis" || parts.length > 3) return false;
  if (first === undefined) {
    const groups = groupNames.map(apiGroup);
    answerRoot(exchange, groupNames, { kind: "APIGroupList", apiVersion: "v1", groups });
  } else if (!groupNames.includes(first)) throw noSuchPath();
  else if (second === undefined) {
    sendJson(exchange, 200, { kind: "APIGroup", apiVersion: "v1", ...apiGroup(first) });
  } else if (versionsOf(first).includes(second)) {
    sendJson(exchange, 200, resourceList(first, second));
  } else throw noSuchPath();
  return true;
}

function answerRoot(exchange: Exchange, groups: readonly string[], legacy: JsonObject): void {
  const version = aggregatedAsked(exchange);
  if (version === undefined) return sendJson(exchange, 200, legacy);
  const text = JSON.stringify(aggregated(groups, version));
  exchange.response.writeHead(200, {
    "content-type": `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    "content-length": Buffer.byteLength(text),
    vary: "Accept",
  });
  exchange.response.end(text);
}
