import { type Clock, messageOf } from "@skopos/model";
import type { EventRecorder } from "../events.ts";
import type { KubeStore } from "../store.ts";

/**
 * The work queue every controller runs on: keys are coalesced while they wait, a failing key is tried again with a
 * growing delay. Reconciling is level-triggered: it reads the store and does what is missing.
 */
export type ControllerContext = {
  store: KubeStore;
  clock: Clock;
  events: EventRecorder;
  log: (message: string) => void;
};

export type Reconciler = {
  /** Asks for `key` to be reconciled soon, or `delayMs` from now. */
  enqueue(key: string, delayMs?: number): void;
  stop(): void;
};

const retryMinMs = 50;
const retryMaxMs = 5_000;

export function startReconciler(
  context: ControllerContext,
  name: string,
  reconcile: (key: string) => void,
): Reconciler {
  const waiting = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, () => void>();
  let cancelRun: (() => void) | undefined;
  let stopped = false;

  const run = () => {
    cancelRun = undefined;
    const batch = [...waiting];
    waiting.clear();
    for (const key of batch) {
      try {
        reconcile(key);
        failures.delete(key);
      } catch (error) {
        const failed = (failures.get(key) ?? 0) + 1;
        failures.set(key, failed);
        context.log(`${name}: ${key}: ${messageOf(error)}`);
        enqueue(key, Math.min(retryMinMs * 2 ** failed, retryMaxMs));
      }
    }
  };

  const enqueue = (key: string, delayMs = 0) => {
    if (stopped) return;
    if (delayMs > 0) {
      timers.get(key)?.();
      const cancel = context.clock.after(delayMs, () => {
        timers.delete(key);
        enqueue(key);
      });
      timers.set(key, cancel);
      return;
    }
    waiting.add(key);
    cancelRun ??= context.clock.after(0, run);
  };

  return {
    enqueue,
    stop() {
      stopped = true;
      cancelRun?.();
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };
}

/** "namespace/name" in two parts. */
export function splitKey(key: string): [namespace: string, name: string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}
