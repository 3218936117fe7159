import type { JsonObject } from "./json.ts";
import { type Kind, kinds } from "./kinds.ts";
import type { KubeObject } from "./object.ts";
import type { KubeStore } from "./store.ts";

/** The CustomResourceDefinitions behind Istio's kinds, for clients that ask which are installed. */
export function createCustomDefinitions(store: KubeStore): void {
  for (const kind of kinds) if (kind.custom) store.create(definitionOf(kind));
  for (const { metadata } of store.list("CustomResourceDefinition")) {
    const status = {
      conditions: [
        { type: "NamesAccepted", status: "True", reason: "NoConflicts" },
        { type: "Established", status: "True", reason: "InitialNamesAccepted" },
      ],
    };
    const options = { subresource: "status" as const };
    store.patch("CustomResourceDefinition", undefined, metadata.name, "merge", { status }, options);
  }
}

function definitionOf({ group, kind, plural, singular, shortNames, categories, versions }: Kind) {
  const names: JsonObject = {
    kind,
    listKind: `${kind}List`,
    plural,
    singular,
    shortNames: [...shortNames],
    categories: [...categories],
  };
  const definition: KubeObject = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, labels: { app: "istio-pilot", release: "istio" } },
    spec: {
      group,
      names,
      scope: "Namespaced",
      conversion: { strategy: "None" },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      })),
    },
  };
  return definition;
}
