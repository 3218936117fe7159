/**
 * A live copy of the cluster's objects, and what changed in them.
 *
 * Each kind is listed once and then watched; a broken watch resumes from its last version, an expired one (410) lists again
 * and compares. A kind that the cluster does not serve is "missing" and asked for again now and then. The first list is not
 * a change; changes from before it are reconstructed from what the API remembers. Secrets are never asked for.
 */
import { type Clock, messageOf, sleep, SkoposError } from "@skopos/model";
import type { Change } from "@skopos/api";
import { ChangeLog, type ChangeQuery } from "../changes/log.ts";
import { type ChangeRecord, liveChange, reconstructHistory } from "../changes/record.ts";
import type { KubeApi, WatchEvent } from "../kube/api.ts";
import { type KubeObject, keyOf } from "../kube/object.ts";
import { setMaxListeners } from "node:events";
import type { ObjectStore } from "./store.ts";

const watchedKinds = [
  "Namespace",
  "Pod",
  "Service",
  "EndpointSlice",
  "Deployment",
  "ReplicaSet",
  "ConfigMap",
  "DestinationRule",
  "VirtualService",
  "Gateway",
  "ServiceEntry",
  "PeerAuthentication",
  "AuthorizationPolicy",
] as const;

export interface ClusterWatchOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly kinds?: readonly string[];
  /** Objects per kind; beyond it a kind is refused, with the reason in `status()`. */
  readonly objectsMax?: number;
  readonly changesMax?: number;
  /** How far back history is reconstructed. */
  readonly historyMs?: number;
}

export interface KindStatus {
  readonly kind: string;
  readonly state: "starting" | "watching" | "missing" | "retrying" | "stopped";
  readonly sinceMs: number;
  readonly detail: string;
  readonly objects: number;
}

const backoffMs = { first: 1000, max: 30_000, missing: 60_000 } as const;
/** A ConfigMap's data is kept up to this size; above it only its name and version are. */
const configMapSizeMax = 65_536;

function bounded(object: KubeObject): KubeObject {
  const { managedFields: fields, ...metadata } = object.metadata;
  // Managed fields are half of an object's size; managers and times are all that is read of them.
  const writers = Array.isArray(fields)
    ? fields.map((field: unknown) => {
        if (typeof field !== "object" || field === null) return {};
        const { fieldsV1: _owned, ...rest } = field as Record<string, unknown>;
        return rest;
      })
    : undefined;
  const kept: KubeObject = {
    ...object,
    metadata: { ...metadata, ...(writers && { managedFields: writers }) },
  };
  if (object.kind !== "ConfigMap") return kept;
  const { data, binaryData: _binary, ...rest } = kept;
  return JSON.stringify(data ?? {}).length <= configMapSizeMax
    ? { ...rest, apiVersion: kept.apiVersion, kind: kept.kind, metadata: kept.metadata, data }
    : { ...rest, apiVersion: kept.apiVersion, kind: kept.kind, metadata: kept.metadata };
}

export class ClusterWatch implements ObjectStore {
  readonly #options: Required<ClusterWatchOptions>;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #lists = new Map<string, readonly KubeObject[]>();
  readonly #status = new Map<string, KindStatus>();
  readonly #log: ChangeLog;
  readonly #listeners = new Set<(record: ChangeRecord) => void>();
  readonly #abort = new AbortController();
  #running: Promise<void>[] = [];
  #complete = false;

  constructor(options: ClusterWatchOptions) {
    this.#options = {
      kinds: watchedKinds,
      objectsMax: 50_000,
      changesMax: 5000,
      historyMs: 7 * 86_400_000,
      ...options,
    };
    this.#log = new ChangeLog(this.#options.changesMax);
    // Every kind's watch, exchange and wait listens for the end.
    setMaxListeners(4 * this.#options.kinds.length, this.#abort.signal);
  }

  /** Resolves when every kind has been listed or found missing, or has failed once. Never rejects: see `status()`. */
  async start(): Promise<void> {
    const first = this.#options.kinds.map(
      (kind) =>
        new Promise<void>((resolve) => {
          this.#setStatus(kind, "starting", "");
          this.#running.push(this.#follow(kind, resolve));
        }),
    );
    await Promise.all(first);
    const sinceMs = this.#options.clock.nowMs() - this.#options.historyMs;
    this.remember(reconstructHistory(this, sinceMs));
    this.#complete = true;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
    this.#running = [];
  }

  objects(kind: string): readonly KubeObject[] {
    const cached = this.#lists.get(kind);
    if (cached) return cached;
    const list = [...(this.#objects.get(kind)?.values() ?? [])];
    this.#lists.set(kind, list);
    return list;
  }

  get(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.get(kind)?.get(keyOf({ namespace, name }));
  }

  /** Newest first. */
  changes(query: ChangeQuery): Change[] {
    return this.#log.between(query).map(({ change }) => change);
  }

  /** With both states of the object; newest first. */
  changeRecords(query: ChangeQuery): ChangeRecord[] {
    return this.#log.between(query);
  }

  changeRecord(id: string): ChangeRecord | undefined {
    return this.#log.get(id);
  }

  get lastChangeAt(): number | null {
    return this.#log.lastAt;
  }

  /** Takes back changes seen by an earlier run; those already known are skipped. Listeners are not told. */
  remember(records: readonly ChangeRecord[]): void {
    for (const record of records) this.#log.add(record, "remembered");
  }

  /** Told of every change seen live. The returned function ends it. */
  onChange(listener: (record: ChangeRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): KindStatus[] {
    return [...this.#status.values()];
  }

  async #follow(kind: string, listed: () => void): Promise<void> {
    const { api, clock } = this.#options;
    const { signal } = this.#abort;
    let delayMs: number = backoffMs.first;
    let version: string | undefined;
    while (!signal.aborted) {
      try {
        if (version === undefined) {
          const page = await api.list(kind);
          if (page.items.length > this.#options.objectsMax)
            throw new SkoposError("limit", `${page.items.length} objects are too many to watch`);
          this.#replaceAll(kind, page.items);
          version = page.resourceVersion;
        }
        this.#setStatus(kind, "watching", "");
        listed();
        const startedMs = clock.monotonicMs();
        await api.watch(kind, {
          resourceVersion: version,
          signal,
          onEvent: (event) => {
            version = event.object.metadata.resourceVersion ?? version;
            this.#take(kind, event);
          },
        });
        // A server that ends watches at once must not be asked in a tight loop.
        if (clock.monotonicMs() - startedMs < backoffMs.first)
          await sleep(clock, backoffMs.first, signal);
        delayMs = backoffMs.first;
      } catch (error) {
        const code = error instanceof SkoposError ? error.code : "";
        listed();
        if (code === "gone") {
          version = undefined;
          await sleep(clock, backoffMs.first, signal);
          continue;
        }
        const missing = code === "not-found";
        this.#setStatus(kind, missing ? "missing" : "retrying", messageOf(error));
        await sleep(clock, missing ? backoffMs.missing : delayMs, signal);
        delayMs = Math.min(delayMs * 2, backoffMs.max);
      }
    }
    this.#setStatus(kind, "stopped", "");
    listed();
  }

  #setStatus(kind: string, state: KindStatus["state"], detail: string): void {
    const known = this.#status.get(kind);
    const objects = this.#objects.get(kind)?.size ?? 0;
    const sinceMs = known?.state === state ? known.sinceMs : this.#options.clock.nowMs();
    this.#status.set(kind, { kind, state, sinceMs, detail, objects });
  }

  #replaceAll(kind: string, items: readonly KubeObject[]): void {
    const known = this.#objects.get(kind);
    const fresh = new Map(items.map((item) => [keyOf(item.metadata), bounded(item)]));
    this.#objects.set(kind, fresh);
    this.#lists.delete(kind);
    if (!known) return;
    for (const [key, before] of known) if (!fresh.has(key)) this.#compare(before, undefined);
    for (const [key, after] of fresh) this.#compare(known.get(key), after);
  }

  #take(kind: string, event: WatchEvent): void {
    if (event.type === "bookmark") return;
    const objects = this.#objects.get(kind) ?? new Map<string, KubeObject>();
    this.#objects.set(kind, objects);
    this.#lists.delete(kind);
    const key = keyOf(event.object.metadata);
    const before = objects.get(key);
    if (event.type === "deleted") {
      objects.delete(key);
      this.#compare(before, undefined);
      return;
    }
    if (!before && objects.size >= this.#options.objectsMax) return;
    const after = bounded(event.object);
    objects.set(key, after);
    this.#compare(before, after);
  }

  #compare(before: KubeObject | undefined, after: KubeObject | undefined): void {
    if (before && before.metadata.resourceVersion === after?.metadata.resourceVersion) return;
    const record = liveChange(this, before, after, this.#options.clock.nowMs());
    if (!record) return;
    // While other kinds are still being listed, a change is real but history may tell it again.
    if (!this.#log.add(record, this.#complete ? "live" : "reconstructed")) return;
    for (const listener of this.#listeners) listener(record);
  }
}
