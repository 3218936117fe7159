/**
 * The client door to a Kubernetes API server: generic REST over the kinds of `kinds.ts`. Every write takes `dryRun` (the
 * server admits and answers, and keeps nothing) and a `resourceVersion` precondition.
 *
 * Errors are `SkoposError` with code "not-found", "conflict" (also: the precondition failed, or it exists already),
 * "forbidden", "invalid", "gone" (a watch must list again), "unreachable" or "limit" (an answer larger than allowed).
 */
import { LimitError, messageOf, SkoposError } from "@skopos/model";
import type { IncomingMessage } from "node:http";
import { kindInfo, pathOf } from "./kinds.ts";
import {
  isRecord,
  type KubeObject,
  type ObjectRef,
  readObject,
  textAt,
  valueAt,
} from "./object.ts";
import { createTransport, type KubeRequest, type KubeTarget, type Transport } from "./transport.ts";

const bodySizeMaxBytes = 64 * 2 ** 20;
const watchLineMaxBytes = 8 * 2 ** 20;
const pageSize = 500;
const requestIdleTimeoutMs = 30_000;

export interface WriteOptions {
  readonly dryRun?: boolean;
  /** The write is refused with "conflict" unless the object is at this version. */
  readonly resourceVersion?: string;
  readonly fieldManager?: string;
}

export type Patch =
  | { readonly type: "merge" | "strategic"; readonly body: Readonly<Record<string, unknown>> }
  | { readonly type: "json"; readonly body: readonly Readonly<Record<string, unknown>>[] };

export interface WatchEvent {
  readonly type: "added" | "modified" | "deleted" | "bookmark";
  readonly object: KubeObject;
}

export interface KubeApi {
  get(ref: ObjectRef): Promise<KubeObject>;
  /** All objects of a kind, page by page, and the version to watch from. */
  list(
    kind: string,
    namespace?: string,
  ): Promise<{ items: readonly KubeObject[]; resourceVersion: string }>;
  /** Calls `onEvent` until the server ends the watch (resolves), the signal aborts (resolves) or it fails (rejects). */
  watch(
    kind: string,
    options: {
      readonly resourceVersion: string;
      readonly signal: AbortSignal;
      readonly onEvent: (event: WatchEvent) => void;
    },
  ): Promise<void>;
  create(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  replace(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  patch(ref: ObjectRef, patch: Patch, options?: WriteOptions): Promise<KubeObject>;
  delete(ref: ObjectRef, options?: WriteOptions): Promise<void>;
}

const codes: Readonly<Record<number, string>> = {
  400: "invalid",
  401: "forbidden",
  403: "forbidden",
  404: "not-found",
  405: "invalid",
  409: "conflict",
  410: "gone",
  413: "limit",
  415: "invalid",
  422: "invalid",
};

function failure(status: number, body: string, what: string): SkoposError {
  const code = codes[status] ?? "unreachable";
  let reason = body.slice(0, 300);
  try {
    reason = textAt(JSON.parse(body), "message") ?? reason;
  } catch {
    // Not a Status object: a proxy in between answered, and its text is the best there is.
  }
  return new SkoposError(code, `${what}: ${reason || `HTTP ${status}`}`);
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > bodySizeMaxBytes) {
      response.destroy();
      throw new LimitError(`the Kubernetes API sent more than ${bodySizeMaxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SkoposError("unreachable", "the Kubernetes API did not answer in JSON", { cause });
  }
}

function writeQuery(options: WriteOptions | undefined): string {
  const query = new URLSearchParams();
  if (options?.dryRun) query.set("dryRun", "All");
  if (options?.fieldManager) query.set("fieldManager", options.fieldManager);
  return query.size > 0 ? `?${query.toString()}` : "";
}

const patchTypes = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const;

/**
 * The patch with its precondition inside: the server answers 409 when the patched object names another version than the
 * stored one. (A failing JSON patch "test" would be a 422 like any other fault of the patch.)
 */
function guarded(patch: Patch, resourceVersion: string | undefined): unknown {
  if (resourceVersion === undefined) return patch.body;
  if (patch.type === "json")
    return [
      { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
      ...patch.body,
    ];
  const metadata = isRecord(patch.body["metadata"]) ? patch.body["metadata"] : {};
  return { ...patch.body, metadata: { ...metadata, resourceVersion } };
}

const eventTypes: Readonly<Record<string, WatchEvent["type"]>> = {
  ADDED: "added",
  MODIFIED: "modified",
  DELETED: "deleted",
  BOOKMARK: "bookmark",
};

function readEvent(line: string, kind: string): WatchEvent {
  const decoded = parseJson(line);
  const object = valueAt(decoded, "object");
  const type = textAt(decoded, "type") ?? "";
  if (type === "ERROR") {
    const status = valueAt(object, "code");
    throw failure(typeof status === "number" ? status : 500, JSON.stringify(object), kind);
  }
  const known = eventTypes[type];
  if (!known) throw new SkoposError("invalid", `unknown watch event ${JSON.stringify(type)}`);
  // A bookmark's object has a version and nothing else.
  const named =
    known === "bookmark"
      ? { metadata: { name: "", resourceVersion: textAt(object, "metadata", "resourceVersion") } }
      : object;
  return {
    type: known,
    object: readObject(named, { kind, apiVersion: kindInfo(kind).apiVersion }),
  };
}

async function readLines(
  response: IncomingMessage,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  response.setEncoding("utf8");
  let rest = "";
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      rest += chunk;
      let end = rest.indexOf("\n");
      while (end >= 0) {
        const line = rest.slice(0, end).trim();
        rest = rest.slice(end + 1);
        if (line !== "") onLine(line);
        end = rest.indexOf("\n");
      }
      if (rest.length > watchLineMaxBytes)
        throw new LimitError(`a watch event is larger than ${watchLineMaxBytes} bytes`);
    }
  } catch (cause) {
    if (signal.aborted) return;
    if (cause instanceof SkoposError) throw cause;
    throw new SkoposError("unreachable", `the watch broke: ${messageOf(cause)}`, { cause });
  }
}

class RestKubeApi implements KubeApi {
  readonly #transport: Transport;
  readonly #watchIdleTimeoutMs: number;

  constructor(transport: Transport, watchIdleTimeoutMs: number) {
    this.#transport = transport;
    this.#watchIdleTimeoutMs = watchIdleTimeoutMs;
  }

  async #exchange(request: Omit<KubeRequest, "idleTimeoutMs">): Promise<unknown> {
    const response = await this.#transport({ ...request, idleTimeoutMs: requestIdleTimeoutMs });
    const body = await readBody(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299)
      throw failure(status, body, `${request.method} ${request.path.split("?")[0]}`);
    return parseJson(body);
  }

  async get(ref: ObjectRef): Promise<KubeObject> {
    const path = pathOf(ref.kind, ref.namespace, ref.name);
    return readObject(await this.#exchange({ method: "GET", path }));
  }

  async list(kind: string, namespace?: string) {
    const fallback = { kind, apiVersion: kindInfo(kind).apiVersion };
    const items: KubeObject[] = [];
    let next = "";
    for (;;) {
      const query = new URLSearchParams({ limit: `${pageSize}`, ...(next && { continue: next }) });
      const page = await this.#exchange({
        method: "GET",
        path: `${pathOf(kind, namespace)}?${query.toString()}`,
      });
      const found = valueAt(page, "items");
      if (Array.isArray(found)) for (const item of found) items.push(readObject(item, fallback));
      next = textAt(page, "metadata", "continue") ?? "";
      if (next === "")
        return { items, resourceVersion: textAt(page, "metadata", "resourceVersion") ?? "" };
    }
  }

  async watch(
    kind: string,
    options: {
      readonly resourceVersion: string;
      readonly signal: AbortSignal;
      readonly onEvent: (event: WatchEvent) => void;
    },
  ): Promise<void> {
    const query = new URLSearchParams({
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: options.resourceVersion,
      timeoutSeconds: `${Math.ceil(this.#watchIdleTimeoutMs / 1000)}`,
    });
    let response: IncomingMessage;
    try {
      response = await this.#transport({
        method: "GET",
        path: `${pathOf(kind)}?${query.toString()}`,
        signal: options.signal,
        idleTimeoutMs: this.#watchIdleTimeoutMs + 10_000,
      });
    } catch (error) {
      if (options.signal.aborted) return;
      throw error;
    }
    const status = response.statusCode ?? 0;
    if (status !== 200) throw failure(status, await readBody(response), `watch ${kind}`);
    await readLines(response, options.signal, (line) => options.onEvent(readEvent(line, kind)));
  }

  async create(object: KubeObject, options?: WriteOptions): Promise<KubeObject> {
    const path = pathOf(object.kind, object.metadata.namespace) + writeQuery(options);
    return readObject(await this.#exchange({ method: "POST", path, body: JSON.stringify(object) }));
  }

  async replace(object: KubeObject, options?: WriteOptions): Promise<KubeObject> {
    const { name, namespace } = object.metadata;
    const version = options?.resourceVersion ?? object.metadata.resourceVersion;
    const body = JSON.stringify({
      ...object,
      metadata: {
        ...object.metadata,
        ...(version !== undefined && { resourceVersion: version }),
      },
    });
    const path = pathOf(object.kind, namespace, name) + writeQuery(options);
    return readObject(await this.#exchange({ method: "PUT", path, body }));
  }

  async patch(ref: ObjectRef, patch: Patch, options?: WriteOptions): Promise<KubeObject> {
    const path = pathOf(ref.kind, ref.namespace, ref.name) + writeQuery(options);
    const body = JSON.stringify(guarded(patch, options?.resourceVersion));
    const contentType = patchTypes[patch.type];
    return readObject(await this.#exchange({ method: "PATCH", path, body, contentType }));
  }

  async delete(ref: ObjectRef, options?: WriteOptions): Promise<void> {
    const path = pathOf(ref.kind, ref.namespace, ref.name) + writeQuery(options);
    const body = JSON.stringify({
      kind: "DeleteOptions",
      apiVersion: "v1",
      ...(options?.resourceVersion !== undefined && {
        preconditions: { resourceVersion: options.resourceVersion },
      }),
      ...(options?.dryRun && { dryRun: ["All"] }),
    });
    await this.#exchange({ method: "DELETE", path, body });
  }
}

/** `watchIdleTimeoutMs`: how long the server is asked to keep a watch open; resumed after that. */
export function createKubeApi(
  target: KubeTarget,
  options: { readonly watchIdleTimeoutMs?: number } = {},
): KubeApi {
  return new RestKubeApi(createTransport(target), options.watchIdleTimeoutMs ?? 240_000);
}
