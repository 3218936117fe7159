/**
 * Texts that monitors take from Secrets and ConfigMaps of their namespace (`{name, key}`): found in the object first, fetched
 * together, then looked up while the monitor is translated.
 */
import { request } from "undici";
import { isRecord, type KubeApi } from "../discovery/reflector.ts";
import { recordOf, textOf } from "../discovery/meta-labels.ts";
import { IngestError } from "../errors.ts";

type Holder = "secrets" | "configmaps";

const objectBytesMax = 2 * 1024 * 1024;

/** Looks up what was fetched. Throws "bad-config" where it is missing. */
export type Lookup = (holder: Holder, reference: Record<string, unknown>) => string;

/** Fetches each referenced object of the namespace once. */
export async function fetchReferences(
  api: KubeApi,
  namespace: string,
  spec: unknown,
): Promise<Lookup> {
  const fetched = new Map<string, Record<string, unknown>>();
  for (const [holder, name] of referencesIn(spec)) {
    const key = `${holder}/${name}`;
    if (!fetched.has(key)) fetched.set(key, await fetchObject(api, namespace, holder, name));
  }
  return (holder, reference) => {
    const [name, key] = [textOf(reference["name"]), textOf(reference["key"])];
    const text = fetched.get(`${holder}/${name}`)?.[key];
    if (typeof text !== "string")
      throw new IngestError("bad-config", `${holder} ${namespace}/${name} has no ${key}`);
    return holder === "secrets" ? Buffer.from(text, "base64").toString() : text;
  };
}

/** Every `{name, key}` below `value` but labels; one below a `configMap` names a ConfigMap, any other a Secret. */
function* referencesIn(value: unknown, holder: Holder = "secrets"): Generator<[Holder, string]> {
  if (Array.isArray(value)) for (const each of value) yield* referencesIn(each, holder);
  if (!isRecord(value)) return;
  const { name, key } = value;
  if (typeof name === "string" && typeof key === "string" && name !== "") yield [holder, name];
  for (const [field, inner] of Object.entries(value))
    if (field !== "labels")
      yield* referencesIn(inner, field === "configMap" ? "configmaps" : "secrets");
}

async function fetchObject(
  api: KubeApi,
  namespace: string,
  holder: Holder,
  name: string,
): Promise<Record<string, unknown>> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/${holder}/${encodeURIComponent(name)}`;
  const authorization = api.authorization?.();
  const response = await request(api.server.replace(/\/$/, "") + path, {
    headers: { accept: "application/json", ...(authorization && { authorization }) },
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
    ...(api.dispatcher && { dispatcher: api.dispatcher }),
  });
  if (response.statusCode !== 200) {
    await response.body.dump({ limit: objectBytesMax });
    throw new IngestError(
      "bad-config",
      `cannot read ${holder} ${namespace}/${name}: HTTP status ${response.statusCode}`,
    );
  }
  const object: unknown = await response.body.json();
  return recordOf(recordOf(object)["data"]);
}
