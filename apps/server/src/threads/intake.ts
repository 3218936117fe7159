/**
 * The intake thread as the main thread sees it. When a push breaks it, by its size or otherwise, that push and those beside
 * it are refused as "unavailable" and a new thread is started; what was acknowledged is in the journal by then.
 */
import { MessageChannel, Worker } from "node:worker_threads";
import { SkoposError } from "@skopos/model";
import type { Logger } from "pino";
import { entryOf } from "./entries.ts";
import type { IntakeCalls, IntakeSettings, IntakeStats, SignalPush } from "./intake-calls.ts";
import { writeLogEvent } from "./port-log.ts";
import { createCaller, type RpcCaller, wholeBuffer } from "./rpc.ts";
import type { PushAnswer, TelemetryCalls } from "./telemetry-calls.ts";

const respawnDelayMs = 500;
const stopMsMax = 5000;
/** Enough for a few pushes of the largest size at once. */
const heapMB = 1024;

export class Intake {
  readonly #settings: IntakeSettings;
  readonly #telemetry: RpcCaller<TelemetryCalls>;
  readonly #log: Logger;
  #worker: Worker | undefined;
  #caller: RpcCaller<IntakeCalls> | undefined;
  #stopping = false;
  /** What threads that ended had counted, as far as they told. */
  #before: IntakeStats | undefined;
  #last: IntakeStats | undefined;

  constructor(settings: IntakeSettings, telemetry: RpcCaller<TelemetryCalls>, log: Logger) {
    this.#settings = settings;
    this.#telemetry = telemetry;
    this.#log = log;
    this.#spawn();
  }

  /** The body is given away, not copied. */
  push(push: SignalPush): Promise<PushAnswer> {
    return (
      this.#caller?.call("push", push, { transfer: wholeBuffer(push.body) }) ??
      Promise.reject(
        new SkoposError("unavailable", "the intake of spans and logs is starting; try again"),
      )
    );
  }

  /** Counts since the program's start; undefined until the thread said so once. */
  async stats(): Promise<IntakeStats | undefined> {
    try {
      this.#last = (await this.#caller?.call("stats", null)) ?? this.#last;
    } catch (error) {
      this.#log.warn({ error: String(error) }, "the intake thread told no counts");
    }
    return this.#last && summed(this.#last, this.#before);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise<void>((done) => worker.once("exit", () => done()));
    const timer = setTimeout(() => void worker.terminate(), stopMsMax);
    await this.#caller
      ?.call("close", null)
      .catch((error: unknown) =>
        this.#log.warn({ error: String(error) }, "the intake thread did not close in order"),
      );
    await ended;
    clearTimeout(timer);
  }

  #spawn(): void {
    const entry = entryOf("intake-thread");
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(entry.file, {
      workerData: { settings: this.#settings, journal: port1 },
      transferList: [port1],
      execArgv: entry.execArgv,
      resourceLimits: { maxOldGenerationSizeMb: heapMB },
    });
    const caller = createCaller<IntakeCalls>(worker);
    caller.onEvent("log", (value) => writeLogEvent(this.#log, "intake", value));
    this.#telemetry
      .call("attachJournal", { port: port2 }, { transfer: [port2] })
      .catch((error: unknown) => {
        this.#log.error({ error: String(error) }, "the intake thread has no journal");
        void worker.terminate();
      });
    worker.on("error", (error) =>
      this.#log.error({ error: error.message }, "the intake thread failed and is started again"),
    );
    worker.on("exit", () => {
      this.#caller = undefined;
      this.#worker = undefined;
      if (this.#last) this.#before = summed(this.#last, this.#before);
      this.#last = undefined;
      caller.fail(
        new SkoposError(
          "unavailable",
          "the intake of spans and logs had to be started again: send smaller requests, or this one again",
        ),
      );
      if (!this.#stopping) setTimeout(() => this.#stopping || this.#spawn(), respawnDelayMs);
    });
    this.#worker = worker;
    this.#caller = caller;
  }
}

function summed(stats: IntakeStats, before: IntakeStats | undefined): IntakeStats {
  if (!before) return stats;
  return {
    spans: stats.spans + before.spans,
    lines: stats.lines + before.lines,
    spansRejected: stats.spansRejected + before.spansRejected,
    linesRejected: stats.linesRejected + before.linesRejected,
    cut: stats.cut + before.cut,
    masked: Object.fromEntries(
      Object.entries(stats.masked).map(([rule, count]) => [
        rule,
        count + (before.masked[rule] ?? 0),
      ]),
    ),
  };
}
