/**
 * A small Kubernetes API on loopback: list, get, watch, create, replace, patch (merge, strategic, JSON) and delete of any
 * collection, with resource versions, preconditions, server-side dry run and field managers. Deployments get ReplicaSets
 * with revisions and pods, at once. Holds what a test puts in; not a cluster.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";

type Json = Record<string, unknown>;
interface Stored extends Json {
  kind: string;
  metadata: Json & { name: string; namespace?: string; resourceVersion: string };
}
interface Watcher {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly response: http.ServerResponse;
}
interface Route {
  /** "apps/v1/deployments" */
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

class StatusError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const child = (value: unknown, key: string): unknown => (isRecord(value) ? value[key] : undefined);

function parseRoute(pathname: string): Route {
  const parts = pathname.split("/").filter((part) => part !== "");
  const group = parts[0] === "api" ? [parts[1]] : [parts[1], parts[2]];
  const rest = parts.slice(parts[0] === "api" ? 2 : 3);
  const isScoped = rest[0] === "namespaces" && rest.length > 2;
  const [plural, name] = isScoped ? rest.slice(2) : rest;
  return {
    collection: [...group, plural].join("/"),
    namespace: isScoped ? rest[1] : undefined,
    name,
  };
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** As merge, but lists of named things are merged by name. */
function strategicPatch(target: unknown, patch: unknown): unknown {
  if (Array.isArray(patch)) {
    const isNamed =
      patch.length > 0 && patch.every((item) => typeof child(item, "name") === "string");
    if (!Array.isArray(target) || !isNamed) return patch;
    const result: unknown[] = [...(target as unknown[])];
    for (const item of patch as unknown[]) {
      const index = result.findIndex((other) => child(other, "name") === child(item, "name"));
      if (index < 0) result.push(item);
      else result[index] = strategicPatch(result[index], item);
    }
    return result;
  }
  if (!isRecord(patch)) return patch;
  if (patch["$patch"] === "replace") {
    const { $patch: _directive, ...rest } = patch;
    return rest;
  }
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = strategicPatch(result[key], value);
  }
  return result;
}

/** The operations of RFC 6902 that are used here. */
function jsonPatch(target: Json, operations: readonly Json[]): Json {
  const result = structuredClone(target);
  for (const { op, path, value } of operations) {
    const steps = String(path)
      .split("/")
      .slice(1)
      .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = steps.pop() ?? "";
    let parent: unknown = result;
    for (const step of steps) parent = child(parent, step);
    if (!isRecord(parent)) throw new StatusError(422, `${String(path)} does not exist`);
    if (op === "test" && !isDeepStrictEqual(parent[last], value))
      throw new StatusError(409, `${String(path)} is not as expected`);
    else if (op === "remove") delete parent[last];
    else if (op === "add" || op === "replace") parent[last] = value;
  }
  return result;
}

const kindNames: Readonly<Record<string, string>> = {
  pods: "Pod",
  services: "Service",
  deployments: "Deployment",
  replicasets: "ReplicaSet",
};

export interface KubeServerOptions {
  /** Collections that do not exist: their paths answer 404. */
  readonly missing?: readonly string[];
  readonly nowMs?: () => number;
}

export class KubeServer {
  readonly #objects = new Map<string, Stored>();
  readonly #watchers = new Set<Watcher>();
  readonly #server: http.Server;
  readonly #missing: ReadonlySet<string>;
  readonly #nowMs: () => number;
  #version = 1000;
  #uid = 0;
  /** Every request's "METHOD path?query", in order. */
  readonly requests: string[] = [];

  constructor(options: KubeServerOptions = {}) {
    this.#missing = new Set(options.missing);
    this.#nowMs = options.nowMs ?? (() => 1_700_000_000_000);
    this.#server = http.createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        const status = error instanceof StatusError ? error.status : 500;
        const message = error instanceof Error ? error.message : String(error);
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify({ kind: "Status", code: status, message }));
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async close(): Promise<void> {
    this.endWatches();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Ends open watches as a server does when their time is over. */
  endWatches(): void {
    for (const watcher of this.#watchers) watcher.response.end();
    this.#watchers.clear();
  }

  /** Ends open watches with 410 Gone. */
  expireWatches(): void {
    const line = { type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } };
    for (const { response } of this.#watchers) response.end(`${JSON.stringify(line)}\n`);
    this.#watchers.clear();
  }

  /** Creates or replaces; `collection` like "apps/v1/deployments". */
  put(collection: string, object: Json, manager = "test"): Stored {
    const metadata = child(object, "metadata");
    const key = this.#key(collection, child(metadata, "namespace"), child(metadata, "name"));
    return this.#store(collection, key, object, manager, true);
  }

  get(collection: string, namespace: string | undefined, name: string): Stored | undefined {
    return this.#objects.get(this.#key(collection, namespace, name));
  }

  remove(collection: string, namespace: string | undefined, name: string): void {
    const key = this.#key(collection, namespace, name);
    const object = this.#objects.get(key);
    if (!object) return;
    this.#objects.delete(key);
    this.#tell(collection, "DELETED", {
      ...object,
      metadata: { ...object.metadata, resourceVersion: `${++this.#version}` },
    });
  }

  #key(collection: string, namespace: unknown, name: unknown): string {
    return `${collection}|${typeof namespace === "string" ? namespace : ""}|${String(name)}`;
  }

  #tell(collection: string, type: string, object: Stored): void {
    for (const watcher of this.#watchers)
      if (
        watcher.collection === collection &&
        (watcher.namespace === undefined || watcher.namespace === object.metadata.namespace)
      )
        watcher.response.write(`${JSON.stringify({ type, object })}\n`);
  }

  #store(collection: string, key: string, object: Json, manager: string, keep: boolean): Stored {
    const old = this.#objects.get(key);
    const metadata = isRecord(object["metadata"]) ? object["metadata"] : {};
    const now = new Date(this.#nowMs()).toISOString().replace(/\.\d+Z$/, "Z");
    const plural = collection.split("/").at(-1) ?? "";
    const stored: Stored = {
      apiVersion: collection.split("/").slice(0, -1).join("/"),
      ...object,
      kind: typeof object["kind"] === "string" ? object["kind"] : (kindNames[plural] ?? plural),
      metadata: {
        creationTimestamp: old?.metadata["creationTimestamp"] ?? now,
        uid: old?.metadata["uid"] ?? `uid-${++this.#uid}`,
        ...metadata,
        name: String(metadata["name"]),
        managedFields: [{ manager, operation: "Update", time: now }],
        resourceVersion: `${keep ? ++this.#version : this.#version + 1}`,
      },
    };
    if (!keep) return stored;
    this.#objects.set(key, stored);
    this.#tell(collection, old ? "MODIFIED" : "ADDED", stored);
    if (collection === "apps/v1/deployments") this.#roll(stored);
    return this.#objects.get(key) ?? stored;
  }

  /** The deployment controller, with readiness taken for granted. */
  #roll(deployment: Stored): void {
    const { name, namespace } = deployment.metadata;
    const spec = child(deployment, "spec");
    const template = child(spec, "template");
    const owned = [...this.#objects.values()].filter(
      (item) => item.kind === "ReplicaSet" && child(item.metadata, "ownerName") === name,
    );
    const revision = (item: Stored) =>
      Number(child(item.metadata["annotations"], "deployment.kubernetes.io/revision"));
    const last = Math.max(0, ...owned.map(revision));
    const current = owned.find((item) =>
      isDeepStrictEqual(child(item["spec"], "template"), template),
    );
    if (!current || revision(current) !== last) {
      this.put(
        "apps/v1/replicasets",
        {
          ...current,
          kind: "ReplicaSet",
          metadata: {
            ...current?.metadata,
            name: current?.metadata.name ?? `${name}-${last + 1}`,
            namespace,
            ownerName: name,
            annotations: { "deployment.kubernetes.io/revision": `${last + 1}` },
            ownerReferences: [{ kind: "Deployment", name }],
          },
          spec: { template },
        },
        "kube-controller-manager",
      );
    }
    const replicas = Number(child(spec, "replicas") ?? 1);
    const key = this.#key("apps/v1/deployments", namespace, name);
    const status = { replicas, readyReplicas: replicas, updatedReplicas: replicas };
    const rolled: Stored = {
      ...deployment,
      status,
      metadata: { ...deployment.metadata, resourceVersion: `${++this.#version}` },
    };
    this.#objects.set(key, rolled);
    this.#tell("apps/v1/deployments", "MODIFIED", rolled);
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    const url = new URL(request.url ?? "/", "http://kube");
    const route = parseRoute(url.pathname);
    if (this.#missing.has(route.collection)) throw new StatusError(404, "no such collection");
    if (url.searchParams.get("watch") === "true") return this.#watch(route, url, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    const answer =
      request.method === "GET"
        ? this.#read(route)
        : this.#write(request, route, url.searchParams, body);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  }

  #items(route: Route): Stored[] {
    return [...this.#objects]
      .filter(
        ([key, item]) =>
          key.startsWith(`${route.collection}|`) &&
          (route.namespace === undefined || item.metadata.namespace === route.namespace),
      )
      .map(([, item]) => item);
  }

  #read(route: Route): unknown {
    if (route.name === undefined)
      return {
        kind: "List",
        metadata: { resourceVersion: `${this.#version}` },
        items: this.#items(route),
      };
    const found = this.#objects.get(this.#key(route.collection, route.namespace, route.name));
    if (!found) throw new StatusError(404, `${route.name} not found`);
    return found;
  }

  #watch(route: Route, url: URL, response: http.ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const since = Number(url.searchParams.get("resourceVersion"));
    for (const object of this.#items(route))
      if (Number(object.metadata.resourceVersion) > since)
        response.write(`${JSON.stringify({ type: "MODIFIED", object })}\n`);
    const watcher = { collection: route.collection, namespace: route.namespace, response };
    this.#watchers.add(watcher);
    response.on("close", () => this.#watchers.delete(watcher));
  }

  #write(
    request: http.IncomingMessage,
    route: Route,
    query: URLSearchParams,
    body: unknown,
  ): unknown {
    const keep = query.get("dryRun") !== "All";
    const manager = query.get("fieldManager") ?? "test";
    const input = isRecord(body) ? body : {};
    const name = route.name ?? String(child(input["metadata"], "name"));
    const key = this.#key(route.collection, route.namespace, name);
    const old = this.#objects.get(key);
    if (request.method === "POST") {
      if (old) throw new StatusError(409, `${name} already exists`);
      return this.#store(route.collection, key, input, manager, keep);
    }
    if (!old) throw new StatusError(404, `${name} not found`);
    const wanted =
      child(input["metadata"], "resourceVersion") ??
      child(input["preconditions"], "resourceVersion");
    if (wanted !== undefined && wanted !== old.metadata.resourceVersion)
      throw new StatusError(409, `${name} has been modified; the version asked for is gone`);
    if (request.method === "DELETE") {
      const dry = Array.isArray(input["dryRun"]) || !keep;
      if (!dry) this.remove(route.collection, route.namespace, name);
      return { kind: "Status", status: "Success" };
    }
    if (request.method === "PUT") return this.#store(route.collection, key, input, manager, keep);
    const type = request.headers["content-type"] ?? "";
    const patched = type.includes("json-patch")
      ? jsonPatch(old, Array.isArray(body) ? (body as Json[]) : [])
      : type.includes("strategic")
        ? strategicPatch(old, body)
        : mergePatch(old, body);
    if (!isRecord(patched)) throw new StatusError(400, "not an object");
    if (child(patched["metadata"], "resourceVersion") !== old.metadata.resourceVersion)
      throw new StatusError(409, `${name} has been modified; the version asked for is gone`);
    return this.#store(route.collection, key, patched, manager, keep);
  }
}
