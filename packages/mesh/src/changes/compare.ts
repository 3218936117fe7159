/** Compares two states of an object: whether a change worth telling happened, of which kind, and in what words. */
import type { Change } from "@skopos/api";
import { isDeepStrictEqual } from "node:util";
import { isRecord, type KubeObject, listAt, numberAt, textAt, valueAt } from "../kube/object.ts";
import { canonicalObject, hidesValue } from "./canonical.ts";

export interface Comparison {
  readonly kind: Change["kind"];
  readonly summary: string;
}

/** Kinds whose desired state is configuration that people edit. */
const configKinds = new Set([
  "Service",
  "Namespace",
  "ConfigMap",
  "DestinationRule",
  "VirtualService",
  "Gateway",
  "ServiceEntry",
  "PeerAuthentication",
  "AuthorizationPolicy",
]);
const restartedAt = "kubectl.kubernetes.io/restartedAt";
const partsMax = 5;

function shown(value: unknown): string {
  if (value === undefined) return "unset";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Paths at which two JSON values differ, with both values; a list that differs in length counts as one. */
function leafDifferences(before: unknown, after: unknown, path: string, out: string[]): void {
  if (isDeepStrictEqual(before, after)) return;
  if (isRecord(before) && isRecord(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      leafDifferences(before[key], after[key], path === "" ? key : `${path}.${key}`, out);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    before.forEach((item, i) => leafDifferences(item, after[i], `${path}[${i}]`, out));
    return;
  }
  // Short paths read better, and the end of a path says what it is.
  const name = path.split(".").slice(-2).join(".");
  out.push(`${name} ${shown(before)} → ${shown(after)}`);
}

function joinParts(name: string, parts: readonly string[], fallback: string): string {
  if (parts.length === 0) return `${name}: ${fallback}`;
  const more = parts.length > partsMax ? ` and ${parts.length - partsMax} more` : "";
  return `${name}: ${parts.slice(0, partsMax).join(", ")}${more}`;
}

/** "v1 → v2" when only the tag differs, else the whole images. */
function imageDifference(before: string, after: string): string {
  const tag = /^(.*):([^:/]+)$/;
  const [old, fresh] = [tag.exec(before), tag.exec(after)];
  return old && fresh && old[1] === fresh[1]
    ? `image ${old[2]} → ${fresh[2]}`
    : `image ${before} → ${after}`;
}

function environmentOf(container: unknown): Map<string, string> {
  const variables = new Map<string, string>();
  for (const entry of listAt(container, "env")) {
    const name = textAt(entry, "name");
    if (name === undefined) continue;
    variables.set(name, textAt(entry, "value") ?? shown(valueAt(entry, "valueFrom")));
  }
  return variables;
}

function environmentDifferences(before: unknown, after: unknown): string[] {
  const [old, fresh] = [environmentOf(before), environmentOf(after)];
  const parts: string[] = [];
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    if (old.get(name) === fresh.get(name)) continue;
    parts.push(
      hidesValue(name)
        ? `${name} changed`
        : `${name} ${shown(old.get(name))} → ${shown(fresh.get(name))}`,
    );
  }
  return parts;
}

const asRecord = (value: unknown) => (isRecord(value) ? value : {});

const withoutNamedParts = (container: unknown) =>
  isRecord(container) ? { ...container, image: undefined, env: undefined } : container;

const withoutContainers = (template: unknown) =>
  isRecord(template)
    ? { ...template, spec: { ...asRecord(template["spec"]), containers: [] } }
    : template;

/** What differs between two pod templates, container by container: images, environment, then everything else. */
export function templateDifferences(before: unknown, after: unknown): string[] {
  const parts: string[] = [];
  const old = listAt(before, "spec", "containers");
  const fresh = listAt(after, "spec", "containers");
  for (const container of fresh) {
    const name = textAt(container, "name");
    const was = old.find((candidate) => textAt(candidate, "name") === name);
    if (!was) {
      parts.push(`container ${name ?? "?"} added`);
      continue;
    }
    const images = [textAt(was, "image") ?? "", textAt(container, "image") ?? ""] as const;
    if (images[0] !== images[1]) parts.push(imageDifference(images[0], images[1]));
    parts.push(...environmentDifferences(was, container));
    leafDifferences(withoutNamedParts(was), withoutNamedParts(container), "", parts);
  }
  for (const container of old) {
    const name = textAt(container, "name");
    if (!fresh.some((candidate) => textAt(candidate, "name") === name))
      parts.push(`container ${name ?? "?"} removed`);
  }
  leafDifferences(withoutContainers(before), withoutContainers(after), "", parts);
  return parts;
}

function withoutRestart(template: unknown): unknown {
  if (!isRecord(template)) return template;
  const metadata = asRecord(template["metadata"]);
  const { [restartedAt]: _restart, ...annotations } = asRecord(metadata["annotations"]);
  return { ...template, metadata: { ...metadata, annotations } };
}

function compareDeployments(before: KubeObject, after: KubeObject): Comparison | undefined {
  const name = after.metadata.name;
  const [old, fresh] = [valueAt(before, "spec", "template"), valueAt(after, "spec", "template")];
  if (!isDeepStrictEqual(old, fresh)) {
    if (isDeepStrictEqual(withoutRestart(old), withoutRestart(fresh)))
      return { kind: "restart", summary: `${name}: every replica restarted on request` };
    const parts = templateDifferences(withoutRestart(old), withoutRestart(fresh));
    return { kind: "rollout", summary: joinParts(name, parts, "pod template changed") };
  }
  const replicas = [numberAt(before, "spec", "replicas"), numberAt(after, "spec", "replicas")];
  if (replicas[0] !== replicas[1])
    return {
      kind: "scale",
      summary: `${name}: ${replicas[0] ?? 1} → ${replicas[1] ?? 1} replicas`,
    };
  return compareConfig(before, after);
}

function compareConfig(before: KubeObject, after: KubeObject): Comparison | undefined {
  const body = (object: KubeObject) => {
    const {
      apiVersion: _version,
      kind: _kind,
      metadata: _metadata,
      ...rest
    } = canonicalObject(object);
    // Labels of a namespace and of a service decide what applies to them; elsewhere they are decoration.
    return after.kind === "Namespace" || after.kind === "Service"
      ? { ...rest, labels: object.metadata.labels ?? {} }
      : rest;
  };
  const parts: string[] = [];
  leafDifferences(body(before), body(after), "", parts);
  if (parts.length === 0) return undefined;
  return {
    kind: "config-updated",
    summary: joinParts(`${after.kind} ${after.metadata.name}`, parts, "changed"),
  };
}

const restartsOf = (pod: KubeObject) =>
  listAt(pod, "status", "containerStatuses").reduce<number>(
    (sum, status) => sum + (numberAt(status, "restartCount") ?? 0),
    0,
  );

function comparePods(before: KubeObject, after: KubeObject): Comparison | undefined {
  const restarts = restartsOf(after);
  if (restarts <= restartsOf(before)) return undefined;
  const ended = listAt(after, "status", "containerStatuses")
    .map((status) => valueAt(status, "lastState", "terminated"))
    .find((state) => state !== undefined);
  const reason = textAt(ended, "reason") ?? "reason unknown";
  const exitCode = numberAt(ended, "exitCode");
  const code = exitCode === undefined ? "" : `, exit code ${exitCode}`;
  return {
    kind: "restart",
    summary: `${after.metadata.name}: container restarted (${reason}${code}), ${restarts} so far`,
  };
}

/** ConfigMaps that controllers write for themselves. */
export function isBookkeepingObject(object: KubeObject): boolean {
  if (object.kind !== "ConfigMap") return false;
  const annotations = object.metadata.annotations ?? {};
  return (
    "control-plane.alpha.kubernetes.io/leader" in annotations ||
    /^(kube-root-ca\.crt|istio-ca-root-cert|istio-.*-leader|istio-namespace-controller-election)$/.test(
      object.metadata.name,
    )
  );
}

/** The change between two states; undefined when nothing that somebody meant is different. */
export function compareObjects(
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): Comparison | undefined {
  const object = after ?? before;
  if (!object || isBookkeepingObject(object)) return undefined;
  const title = `${object.kind} ${object.metadata.name}`;
  if (object.kind === "Pod") return before && after ? comparePods(before, after) : undefined;
  if (object.kind !== "Deployment" && !configKinds.has(object.kind)) return undefined;
  if (!before) return { kind: "config-created", summary: `${title} created` };
  if (!after) return { kind: "config-deleted", summary: `${title} deleted` };
  return object.kind === "Deployment"
    ? compareDeployments(before, after)
    : compareConfig(before, after);
}
