/** Collections of one Kubernetes API, each watched once however many discoveries look at it. */
import type { Clock } from "@skopos/model";
import { type KubeApi, type KubeObject, Reflector, type ReflectorOptions } from "./reflector.ts";

type Collection = Omit<ReflectorOptions, "api" | "clock" | "onChange">;

/** One user's view of a collection. */
export interface WatchedCollection {
  readonly objects: ReadonlyMap<string, KubeObject>;
  readonly synced: boolean;
  readonly lastError: string;
  /** The last user's stop ends the watch. */
  stop(): Promise<void>;
}

interface Shared {
  readonly reflector: Reflector;
  readonly listeners: Set<() => void>;
}

export class SharedReflectors {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #shared = new Map<string, Shared>();

  constructor(api: KubeApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  /** `onChange` is called after each change, and soon after the start when the collection is at hand already. */
  watch(collection: Collection, onChange: () => void): WatchedCollection {
    const key = JSON.stringify(collection);
    const shared = this.#shared.get(key) ?? this.#open(key, collection);
    const { reflector, listeners } = shared;
    const listener = () => onChange();
    listeners.add(listener);
    const cancel = reflector.synced ? this.#clock.after(0, listener) : () => {};
    return {
      get objects() {
        return reflector.objects;
      },
      get synced() {
        return reflector.synced;
      },
      get lastError() {
        return reflector.lastError;
      },
      stop: async () => {
        cancel();
        listeners.delete(listener);
        if (listeners.size > 0 || this.#shared.get(key) !== shared) return;
        this.#shared.delete(key);
        await reflector.stop();
      },
    };
  }

  #open(key: string, collection: Collection): Shared {
    const listeners = new Set<() => void>();
    const reflector = new Reflector({
      ...collection,
      api: this.#api,
      clock: this.#clock,
      onChange: () => {
        for (const listener of listeners) listener();
      },
    });
    const shared = { reflector, listeners };
    this.#shared.set(key, shared);
    reflector.start();
    return shared;
  }
}
