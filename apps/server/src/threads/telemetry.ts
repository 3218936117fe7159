/** The telemetry thread as the main thread sees it. Without it nobody is paged, so its end is the program's end. */
import { Worker } from "node:worker_threads";
import type { AlertInstance } from "@skopos/api";
import { SkoposError } from "@skopos/model";
import type { HeadShare } from "@skopos/store";
import type { Logger } from "pino";
import { entryOf } from "./entries.ts";
import { writeLogEvent } from "./port-log.ts";
import { createCaller, type RpcCaller } from "./rpc.ts";
import type { TelemetryCalls, TelemetryThreadData } from "./telemetry-calls.ts";

export interface TelemetryThread {
  readonly caller: RpcCaller<TelemetryCalls>;
  readonly head: HeadShare;
  /** Every alert that is pending, firing or lately resolved, whenever one of them changes. */
  onAlerts(listener: (alerts: readonly AlertInstance[]) => void): void;
  stop(): Promise<void>;
}

const stopMsMax = 10_000;

/**
 * Resolves when journal and head are open and scraping has begun; rejects with what kept it from that ("bad-rule-file",
 * "bad-scrape-config", "disk-full"…). `onDeath` is called when it ends unasked later on.
 */
export function startTelemetryThread(
  data: TelemetryThreadData,
  log: Logger,
  onDeath: (error: Error) => void,
): Promise<TelemetryThread> {
  const entry = entryOf("telemetry-thread");
  const worker = new Worker(entry.file, { workerData: data, execArgv: entry.execArgv });
  const caller = createCaller<TelemetryCalls>(worker);
  caller.onEvent("log", (value) => writeLogEvent(log, "telemetry", value));
  let stopping = false;
  let started = false;
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    worker.on("error", (error) => (failure = error));
    caller.onEvent("failed", (value) => {
      const { code, message } = value as { code: string; message: string };
      failure = new SkoposError(code, message);
      // What it had opened by then would keep it alive.
      void worker.terminate();
    });
    worker.on("exit", () => {
      const error = failure ?? new Error("the telemetry thread ended");
      caller.fail(new SkoposError("unavailable", "the telemetry thread is gone"));
      reject(error);
      if (started && !stopping) onDeath(error);
    });
    caller.onEvent("ready", (value) => {
      started = true;
      resolve({
        caller,
        head: (value as { head: HeadShare }).head,
        onAlerts: (listener) =>
          caller.onEvent("alerts", (alerts) => listener(alerts as readonly AlertInstance[])),
        async stop() {
          stopping = true;
          const ended = new Promise<void>((done) => worker.once("exit", () => done()));
          const timer = setTimeout(() => void worker.terminate(), stopMsMax);
          await caller
            .call("close", null)
            .catch((error: unknown) =>
              log.warn({ error: String(error) }, "the telemetry thread did not close in order"),
            );
          await ended;
          clearTimeout(timer);
        },
      });
    });
  });
}
