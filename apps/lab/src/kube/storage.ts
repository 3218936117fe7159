import { LimitError } from "@skopos/model";
import { deepFreeze } from "./json.ts";
import type { KubeObject } from "./object.ts";
import { expired } from "./status-error.ts";

/**
 * Objects by kind, one global revision counter, and per kind a bounded history of what changed, from which watches are
 * served. Stored objects are frozen. Events reach listeners in revision order from a microtask, never from inside the
 * write, so that a listener may write.
 */
export type Change = {
  type: "ADDED" | "MODIFIED" | "DELETED";
  revision: number;
  object: KubeObject;
  /** The object before, absent when added. A watch with a selector needs it to tell entering from leaving. */
  previous?: KubeObject;
};

export type StorageLimits = {
  /** Objects of one kind. */
  objectsMax: number;
  /** Changes of one kind kept for watches that resume. */
  historyMax: number;
  /** Listeners in total. */
  watchersMax: number;
};

export const defaultStorageLimits: StorageLimits = {
  objectsMax: 10_000,
  historyMax: 2_000,
  watchersMax: 1_000,
};

type Shelf = {
  objects: Map<string, KubeObject>;
  /** The objects in key order, until the next change. */
  sorted: KubeObject[] | undefined;
  history: Change[];
  /** Changes up to this revision are forgotten. */
  forgotten: number;
};

type Watcher = { kind: string; after: number; listener: (change: Change) => void };

export function storageKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}

export class Storage {
  private readonly shelves = new Map<string, Shelf>();
  private readonly watchers = new Set<Watcher>();
  private readonly limits: StorageLimits;
  private pending: { kind: string; change: Change }[] = [];
  private lastRevision = 1;

  constructor(limits: StorageLimits) {
    this.limits = limits;
  }

  /** The revision of the newest change, of any kind. */
  get revision(): number {
    return this.lastRevision;
  }

  get(kind: string, key: string): KubeObject | undefined {
    return this.shelf(kind).objects.get(key);
  }

  /** All objects of a kind, ordered by namespace and name. */
  all(kind: string): readonly KubeObject[] {
    const shelf = this.shelf(kind);
    shelf.sorted ??= [...shelf.objects]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, object]) => object);
    return shelf.sorted;
  }

  /** Stores a new state of an object and returns it with its resourceVersion, frozen. */
  put(kind: string, object: KubeObject): KubeObject {
    const shelf = this.shelf(kind);
    const key = storageKey(object.metadata.namespace, object.metadata.name);
    const previous = shelf.objects.get(key);
    if (previous === undefined && shelf.objects.size >= this.limits.objectsMax) {
      throw new LimitError(`no more than ${this.limits.objectsMax} objects of kind ${kind}`);
    }
    const revision = ++this.lastRevision;
    const metadata = { ...object.metadata, resourceVersion: String(revision) };
    const stored = deepFreeze({ ...object, metadata });
    shelf.objects.set(key, stored);
    if (previous === undefined) this.record(kind, { type: "ADDED", revision, object: stored });
    else this.record(kind, { type: "MODIFIED", revision, object: stored, previous });
    return stored;
  }

  /** Takes an object out; the event carries its last state with the revision of the removal. */
  remove(kind: string, key: string): KubeObject | undefined {
    const shelf = this.shelf(kind);
    const previous = shelf.objects.get(key);
    if (previous === undefined) return undefined;
    shelf.objects.delete(key);
    const revision = ++this.lastRevision;
    const metadata = { ...previous.metadata, resourceVersion: String(revision) };
    const object = deepFreeze({ ...previous, metadata });
    this.record(kind, { type: "DELETED", revision, object, previous });
    return object;
  }

  /**
   * Calls `listener` with every change of `kind` after revision `after`; first with those in the history, at once.
   * Throws Expired (410) when the history no longer reaches back that far.
   */
  subscribe(kind: string, after: number, listener: (change: Change) => void): () => void {
    const shelf = this.shelf(kind);
    if (after < shelf.forgotten) {
      throw expired(`too old resource version: ${after} (${shelf.forgotten})`);
    }
    if (this.watchers.size >= this.limits.watchersMax) {
      throw new LimitError(`no more than ${this.limits.watchersMax} watches`);
    }
    const watcher = { kind, after: Math.max(after, this.lastRevision), listener };
    this.watchers.add(watcher);
    for (const change of shelf.history) if (change.revision > after) listener(change);
    return () => this.watchers.delete(watcher);
  }

  private shelf(kind: string): Shelf {
    const present = this.shelves.get(kind);
    if (present !== undefined) return present;
    const made: Shelf = { objects: new Map(), sorted: undefined, history: [], forgotten: 0 };
    this.shelves.set(kind, made);
    return made;
  }

  private record(kind: string, change: Change): void {
    const shelf = this.shelf(kind);
    shelf.sorted = undefined;
    shelf.history.push(change);
    if (shelf.history.length > this.limits.historyMax * 1.25) {
      const gone = shelf.history.splice(0, shelf.history.length - this.limits.historyMax);
      shelf.forgotten = gone.at(-1)?.revision ?? shelf.forgotten;
    }
    this.pending.push({ kind, change });
    if (this.pending.length === 1) queueMicrotask(() => this.deliver());
  }

  private deliver(): void {
    const batch = this.pending;
    this.pending = [];
    for (const { kind, change } of batch) {
      for (const watcher of this.watchers) {
        if (watcher.kind === kind && watcher.after < change.revision) watcher.listener(change);
      }
    }
  }
}
