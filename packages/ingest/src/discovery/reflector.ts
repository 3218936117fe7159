/**
 * Keeps one collection of the Kubernetes API at hand: list, then watch from the list's version. A watch that ends is taken up
 * again where it stopped; one that is too old (410) starts over with a list; while the server cannot be reached the last known
 * objects stay. Source: Kubernetes API concepts, "Efficient detection of changes".
 */
import { type Clock, messageOf, SkoposError, sleep } from "@skopos/model";
import { type Dispatcher, request } from "undici";
import { IngestError } from "../errors.ts";

/** Any Kubernetes object; fields are read with care, as they come from outside. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly {
      readonly kind?: string;
      readonly name?: string;
      readonly controller?: boolean;
    }[];
  };
  readonly [field: string]: unknown;
}

export interface KubeApi {
  /** Like `https://10.0.0.1:443`. */
  readonly server: string;
  /** The `Authorization` header, read anew for each request. */
  readonly authorization?: () => string | undefined;
  readonly dispatcher?: Dispatcher;
}

export interface ReflectorOptions {
  readonly api: KubeApi;
  /** Like `/api/v1/namespaces/shop/pods`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** The kind may not be known to the cluster; then the collection is empty until it is. */
  readonly optional?: boolean;
  readonly clock: Clock;
  readonly onChange: () => void;
}

const pageSize = 500;
const objectsMax = 200_000;
const lineBytesMax = 8 * 1024 * 1024;
const retryMinMs = 250;
const retryMaxMs = 30_000;
/** When to look again whether an optional kind has become known. */
const absentRetryMs = 60_000;
/** The server ends a watch after this long; silence for longer means that the connection is dead. */
const watchSeconds = 300;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #stop = new AbortController();
  #objects = new Map<string, KubeObject>();
  #version = "";
  #failures = 0;
  #lastError = "";
  #synced = false;
  #done: Promise<void> = Promise.resolve();

  constructor(options: ReflectorOptions) {
    this.#options = options;
  }

  get objects(): ReadonlyMap<string, KubeObject> {
    return this.#objects;
  }

  /** Listed at least once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** "" while all is well. */
  get lastError(): string {
    return this.#lastError;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#version === "") await this.#list();
        const began = this.#options.clock.monotonicMs();
        await this.#watch();
        this.#failures = 0;
        // A server that ends every watch at once is not asked in a tight loop.
        if (this.#options.clock.monotonicMs() - began < 1000)
          await sleep(this.#options.clock, retryMinMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (this.#isAbsent(error)) {
          await sleep(this.#options.clock, absentRetryMs, signal);
          continue;
        }
        this.#lastError = messageOf(error);
        if (error instanceof SkoposError && error.code === "gone") {
          this.#version = "";
          if (this.#failures++ === 0) continue;
        } else this.#failures++;
        const backOff = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures, 10));
        await sleep(this.#options.clock, backOff, signal);
      }
    }
  }

  /** An optional kind that the cluster does not know: not an error, and nothing of it is there. */
  #isAbsent(error: unknown): boolean {
    const isMissing = error instanceof SkoposError && error.code === "not-found";
    if (!isMissing || !this.#options.optional) return false;
    const changed = !this.#synced || this.#objects.size > 0;
    this.#objects = new Map();
    this.#version = "";
    this.#synced = true;
    this.#lastError = "";
    if (changed) this.#options.onChange();
    return true;
  }

  #headers(): Record<string, string> {
    const authorization = this.#options.api.authorization?.();
    return {
      accept: "application/json",
      "user-agent": "skopos",
      ...(authorization === undefined ? {} : { authorization }),
    };
  }

  #url(extra: Readonly<Record<string, string>>): string {
    const { api, path, labelSelector, fieldSelector } = this.#options;
    const url = new URL(api.server.replace(/\/$/, "") + path);
    if (labelSelector) url.searchParams.set("labelSelector", labelSelector);
    if (fieldSelector) url.searchParams.set("fieldSelector", fieldSelector);
    for (const [name, value] of Object.entries(extra)) url.searchParams.set(name, value);
    return url.href;
  }

  async #open(query: Readonly<Record<string, string>>, bodyTimeout: number) {
    const { dispatcher } = this.#options.api;
    const response = await request(this.#url(query), {
      headers: this.#headers(),
      signal: this.#stop.signal,
      headersTimeout: 30_000,
      bodyTimeout,
      ...(dispatcher ? { dispatcher } : {}),
    });
    if (response.statusCode === 200) return response.body;
    await response.body.dump({ limit: 65_536 });
    const { path } = this.#options;
    if (response.statusCode === 410) throw new IngestError("gone", `${path}: 410 Gone`);
    throw new IngestError(
      response.statusCode === 404 ? "not-found" : "unavailable",
      `Kubernetes API: ${path}: HTTP status ${response.statusCode}${response.statusCode === 403 ? " (may the service account list and watch it?)" : ""}`,
    );
  }

  async #list(): Promise<void> {
    const next = new Map<string, KubeObject>();
    let from: string | undefined;
    let version = "";
    do {
      const query = { limit: String(pageSize), ...(from ? { continue: from } : {}) };
      const body = await this.#open(query, 30_000);
      const page = (await body.json()) as {
        metadata?: { resourceVersion?: string; continue?: string };
        items?: unknown[];
      };
      for (const item of page.items ?? []) {
        if (!isObject(item)) continue;
        next.set(keyOf(item), item);
        if (next.size > objectsMax)
          throw new IngestError("limit", `${this.#options.path}: more than ${objectsMax} objects`);
      }
      version = page.metadata?.resourceVersion ?? "";
      from = page.metadata?.continue || undefined;
    } while (from);
    this.#objects = next;
    this.#version = version === "" ? "0" : version;
    this.#synced = true;
    this.#lastError = "";
    this.#options.onChange();
  }

  async #watch(): Promise<void> {
    const query = {
      watch: "true",
      resourceVersion: this.#version,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(watchSeconds),
    };
    const body = await this.#open(query, (watchSeconds + 60) * 1000);
    this.#lastError = "";
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of body as AsyncIterable<Buffer>) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineBytesMax)
        throw new IngestError("too-large", `${this.#options.path}: a watch event is too large`);
      let changed = false;
      for (const line of lines) if (line !== "" && this.#apply(line)) changed = true;
      if (changed) this.#options.onChange();
    }
  }

  /** True when an object changed. */
  #apply(line: string): boolean {
    const { type, object } = parseEvent(line);
    if (type === "ERROR") {
      const code = isRecord(object) ? object["code"] : undefined;
      throw new IngestError(
        code === 410 ? "gone" : "unavailable",
        `Kubernetes API: ${this.#options.path}: watch ended with ${JSON.stringify(object)?.slice(0, 300)}`,
      );
    }
    if (!isObject(object)) {
      // A bookmark may carry metadata without a name.
      this.#advance(object);
      return false;
    }
    this.#advance(object);
    this.#failures = 0;
    if (type === "BOOKMARK") return false;
    if (type === "DELETED") return this.#objects.delete(keyOf(object));
    if (type !== "ADDED" && type !== "MODIFIED") return false;
    if (this.#objects.size < objectsMax || this.#objects.has(keyOf(object)))
      this.#objects.set(keyOf(object), object);
    return true;
  }

  #advance(object: unknown): void {
    const metadata = isRecord(object) ? object["metadata"] : undefined;
    const version = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
    if (typeof version === "string" && version !== "") this.#version = version;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isObject(value: unknown): value is KubeObject {
  if (!isRecord(value) || !isRecord(value["metadata"])) return false;
  return typeof value["metadata"]["name"] === "string";
}

export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

function parseEvent(line: string): { type: unknown; object: unknown } {
  try {
    const event: unknown = JSON.parse(line);
    if (isRecord(event)) return { type: event["type"], object: event["object"] };
  } catch (error) {
    throw new IngestError("bad-json", `Kubernetes API: a watch event is not JSON`, {
      cause: error,
    });
  }
  throw new IngestError("bad-json", "Kubernetes API: a watch event is not an object");
}
