import { randomBytes } from "node:crypto";
import type { Clock } from "@skopos/model";
import { numberAt } from "./json.ts";
import { type KubeObject, type Named, timestamp } from "./object.ts";
import type { KubeStore } from "./store.ts";
import { StatusError } from "./status-error.ts";

/**
 * Kubernetes Events about objects. A repeated event counts up instead of making a new object; the oldest are dropped
 * beyond `eventsMax`, where a real cluster drops them after an hour.
 */
export type EventNote = {
  type?: "Normal" | "Warning";
  /** CamelCase, e.g. `ScalingReplicaSet`. */
  reason: string;
  message: string;
  /** Who says so, e.g. `deployment-controller`. */
  component: string;
  /** The part concerned, e.g. `spec.containers{app}`. */
  fieldPath?: string;
  host?: string;
};

const eventsMax = 2_000;

export class EventRecorder {
  private readonly store: KubeStore;
  private readonly clock: Clock;
  private readonly names = new Map<string, { namespace: string; name: string }>();

  constructor(store: KubeStore, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  record(about: Named, note: EventNote): void {
    const namespace = about.metadata.namespace ?? "default";
    const key = `${about.metadata.uid}|${note.reason}|${note.message}|${note.fieldPath ?? ""}`;
    const known = this.names.get(key);
    const present = known && this.store.get("Event", known.namespace, known.name);
    try {
      if (present === undefined) {
        const made = this.store.create(this.eventOf(about, namespace, note));
        this.names.delete(key);
        this.names.set(key, { namespace, name: made.metadata.name });
        this.prune();
        return;
      }
      const count = (numberAt(present, "count") ?? 1) + 1;
      this.store.update({ ...present, count, lastTimestamp: timestamp(this.clock.nowMs()) });
    } catch (error) {
      // An event about something in a namespace that is going away has nowhere to live.
      if (!(error instanceof StatusError)) throw error;
    }
  }

  private eventOf(about: Named, namespace: string, note: EventNote): KubeObject {
    const now = timestamp(this.clock.nowMs());
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        name: `${about.metadata.name}.${randomBytes(8).toString("hex")}`,
        namespace,
      },
      involvedObject: {
        kind: about.kind,
        ...(about.metadata.namespace === undefined ? {} : { namespace: about.metadata.namespace }),
        name: about.metadata.name,
        uid: about.metadata.uid ?? "",
        apiVersion: about.apiVersion,
        resourceVersion: about.metadata.resourceVersion ?? "",
        ...(note.fieldPath === undefined ? {} : { fieldPath: note.fieldPath }),
      },
      reason: note.reason,
      message: note.message,
      source: {
        component: note.component,
        ...(note.host === undefined ? {} : { host: note.host }),
      },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      type: note.type ?? "Normal",
      reportingComponent: note.component,
      reportingInstance: note.host ?? "",
    };
  }

  private prune(): void {
    for (const [key, { namespace, name }] of this.names) {
      if (this.names.size <= eventsMax) return;
      this.names.delete(key);
      if (this.store.get("Event", namespace, name)) this.store.delete("Event", namespace, name);
    }
  }
}
