/** How late a thread's event loop runs: what everything else on that thread has to wait for. */
import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 10;
/** A reading covers at least this long, whoever asks how often. */
const windowMs = 10_000;

export interface LoopDelay {
  /** 99th percentile in milliseconds over the last ten to twenty seconds. */
  read(): number;
}

export function watchLoopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let before = 0;
  let since = performance.now();
  return {
    read() {
      // The timer that measures is itself due only every `resolutionMs`.
      const current = Math.max(0, histogram.percentile(99) / 1e6 - resolutionMs);
      const worst = Math.max(before, current);
      if (performance.now() - since >= windowMs) {
        before = current;
        since = performance.now();
        histogram.reset();
      }
      return Number.isFinite(worst) ? worst : 0;
    },
  };
}
