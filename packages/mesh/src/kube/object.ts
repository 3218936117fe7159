/**
 * Kubernetes objects as the API sends them: open JSON with the few fields that every object has. Everything below `metadata`
 * is read through the accessors here, which answer `undefined` for whatever is absent or of another type.
 */
import { SkoposError } from "@skopos/model";

interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Names one object. Cluster-wide objects have no namespace. */
export interface ObjectRef {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path of keys and indices; undefined as soon as a step is missing. */
export function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    if (Array.isArray(current) && typeof step === "number") current = current[step];
    else if (isRecord(current)) current = current[String(step)];
    else return undefined;
  }
  return current;
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : undefined;
}

export function numberAt(
  value: unknown,
  ...path: readonly (string | number)[]
): number | undefined {
  const found = valueAt(value, ...path);
  return typeof found === "number" ? found : undefined;
}

/** The list at a path; empty when there is none. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The string map at a path; entries of other types are left out. */
export function mapAt(
  value: unknown,
  ...path: readonly (string | number)[]
): Readonly<Record<string, string>> {
  const found = valueAt(value, ...path);
  if (!isRecord(found)) return {};
  const entries = Object.entries(found).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(entries);
}

/**
 * Checks that a decoded JSON value is an object. Items of a list carry no kind of their own, so the list's is filled in.
 * Throws `invalid`.
 */
export function readObject(
  value: unknown,
  fallback?: { apiVersion: string; kind: string },
): KubeObject {
  const metadata = valueAt(value, "metadata");
  const name = textAt(metadata, "name");
  const kind = textAt(value, "kind") ?? fallback?.kind;
  const apiVersion = textAt(value, "apiVersion") ?? fallback?.apiVersion;
  if (!isRecord(value) || !isRecord(metadata) || name === undefined || !kind || !apiVersion) {
    throw new SkoposError(
      "invalid",
      "the Kubernetes API sent an object without kind or metadata.name",
    );
  }
  return { ...value, apiVersion, kind, metadata: { ...metadata, name } };
}

/** "namespace/name", or the bare name of a cluster-wide object: the key within one kind. */
export function keyOf(ref: { readonly namespace?: string | undefined; readonly name: string }) {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

export function refOf(object: KubeObject): ObjectRef {
  const { name, namespace } = object.metadata;
  return { kind: object.kind, name, ...(namespace !== undefined && { namespace }) };
}

/** Unix ms of a timestamp as Kubernetes writes it; undefined when absent or not a time. */
export function timeAt(value: unknown, ...path: readonly (string | number)[]): number | undefined {
  const text = textAt(value, ...path);
  const timeMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}
