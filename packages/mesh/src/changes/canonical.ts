/**
 * What of an object somebody meant: its desired state without status and without what the API server and controllers
 * write for themselves. Objects are compared, shown and restored in this form.
 */
import { stringify } from "yaml";
import { isRecord, type KubeObject, listAt, mapAt, textAt } from "../kube/object.ts";

const bookkeepingAnnotations = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deployment.kubernetes.io/revision",
  "deployment.kubernetes.io/desired-replicas",
  "deployment.kubernetes.io/max-replicas",
  "endpoints.kubernetes.io/last-change-trigger-time",
]);
const secretName = /passw|secret|token|credential|api_?key|private_?key/i;
const textSizeMax = 100_000;

function pickAnnotations(object: KubeObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(mapAt(object, "metadata", "annotations")).filter(
      ([name]) => !bookkeepingAnnotations.has(name),
    ),
  );
}

/** The object reduced to identity and desired state. */
export function canonicalObject(object: KubeObject): KubeObject {
  const { status: _status, metadata, apiVersion, kind, ...body } = object;
  const annotations = pickAnnotations(object);
  const labels = mapAt(metadata, "labels");
  return {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    ...body,
  };
}

/** Values of variables whose name says that they are secret, replaced; the rest as it is. */
function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (!isRecord(value)) return value;
  const isSecret = typeof value["name"] === "string" && secretName.test(value["name"]);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      isSecret && key === "value" ? "(hidden)" : masked(inner),
    ]),
  );
}

/** Fields in the order that `like` has them; what it lacks comes after. Servers order fields as they please. */
function inOrderOf(value: unknown, like: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(like)) {
    return value.map((item: unknown, i) => inOrderOf(item, namesake(item, like) ?? like[i]));
  }
  if (!isRecord(value) || !isRecord(like)) return value;
  const known = Object.keys(like).filter((key) => key in value);
  const fresh = Object.keys(value).filter((key) => !(key in like));
  return Object.fromEntries(
    [...known, ...fresh].map((key) => [key, inOrderOf(value[key], like[key])]),
  );
}

function namesake(item: unknown, among: readonly unknown[]): unknown {
  if (!isRecord(item) || typeof item["name"] !== "string") return undefined;
  return among.find((other) => isRecord(other) && other["name"] === item["name"]);
}

/** YAML for people: canonical, secrets hidden, bounded. With `like`, in that object's order, so that a diff shows changes only. */
export function yamlOf(object: KubeObject | undefined, like?: KubeObject): string {
  if (!object) return "";
  const canonical = masked(canonicalObject(object));
  const ordered = like ? inOrderOf(canonical, canonicalObject(like)) : canonical;
  const text = stringify(ordered, { lineWidth: 0 });
  return text.length <= textSizeMax ? text : `${text.slice(0, textSizeMax)}\n# cut: too long\n`;
}

export const hidesValue = (name: string) => secretName.test(name);

/** Who last wrote the desired state, and when, as the API server's bookkeeping tells. */
export function lastWriter(object: KubeObject): { by: string; at: number } | undefined {
  let latest: { by: string; at: number } | undefined;
  for (const entry of listAt(object, "metadata", "managedFields")) {
    const at = Date.parse(textAt(entry, "time") ?? "");
    const by = textAt(entry, "manager") ?? "";
    if (Number.isNaN(at) || by === "" || textAt(entry, "subresource") !== undefined) continue;
    if (/^kube-(controller-manager|scheduler)$|^kubelet$/.test(by)) continue;
    if (!latest || at >= latest.at) latest = { by, at };
  }
  return latest;
}
