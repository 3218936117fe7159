import { type JsonObject, mapAt } from "../json.ts";
import { apiVersionOf, type Kind, storageOf, storedApiVersion } from "../kinds.ts";
import type { KubeObject } from "../object.ts";

/**
 * One storage, several served versions. Istio's versions differ in nothing but their name; events.k8s.io events are
 * core events under other field names.
 */
const eventFields: readonly (readonly [core: string, renamed: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];

function rename(object: JsonObject, from: 0 | 1, to: 0 | 1): JsonObject {
  const names = new Map(eventFields.map((pair) => [pair[from], pair[to]]));
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value]),
  );
}

/** A stored object as clients of `version` see it. */
export function toVersion(kind: Kind, version: string, object: KubeObject): KubeObject {
  const apiVersion = apiVersionOf(kind.group, version);
  const shaped = kind.group === "events.k8s.io" ? rename(object, 0, 1) : object;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = shaped;
  // The first three members are what makes it an object of a kind.
  return { kind: object.kind, apiVersion, ...rest, metadata: object.metadata };
}

/** A client's object in the version it is stored in. */
export function fromVersion(kind: Kind, object: JsonObject): KubeObject {
  const shaped = kind.group === "events.k8s.io" ? rename(object, 1, 0) : object;
  const apiVersion = storedApiVersion(storageOf(kind));
  // Whatever else it holds is checked when it is decoded against the kind's schema.
  return {
    ...shaped,
    apiVersion,
    kind: kind.kind,
    metadata: mapAt(object, "metadata"),
  } as KubeObject;
}
