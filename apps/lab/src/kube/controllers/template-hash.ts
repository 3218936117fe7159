import { canonical, clone, field, isObject, type JsonObject } from "../json.ts";
import type { PodTemplate } from "../object.ts";

/** The label that tells apart the pods of one Deployment's revisions. */
export const templateHashLabel = "pod-template-hash";

const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** FNV-1a of the template's canonical JSON, in the alphabet of Kubernetes' `SafeEncodeString`. */
export function templateHash(template: PodTemplate, collisions: number): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(canonical(withoutHash(template)) + (collisions || ""))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return Array.from(String(hash), (digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join(
    "",
  );
}

/** The template as its Deployment states it: without the hash label that its ReplicaSet adds. */
export function withoutHash(template: PodTemplate): JsonObject {
  const copy: JsonObject = clone(template);
  const metadata = field(copy, "metadata");
  const labels = isObject(metadata) ? field(metadata, "labels") : undefined;
  if (isObject(labels)) delete labels[templateHashLabel];
  return copy;
}
