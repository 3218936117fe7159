/**
 * Entry of the practice mesh's own process. Told what to do by one JSON argument, it reports over the IPC channel and
 * ends, with everything it started, when asked to or when its parent is gone.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { messageOf } from "@skopos/model";
import { type Lab, startLab } from "../lab.ts";
import { reportText } from "../load/report.ts";

/** Everything is optional: SocialStream on free ports when empty. */
export interface LabProcessOptions {
  /** Where spans and logs are sent: OTLP at /v1/traces, Loki at /loki/api/v1/push. */
  readonly collectorUrl?: string | undefined;
  readonly topologyFile?: string | undefined;
  readonly kubePort?: number | undefined;
  readonly controlPort?: number | undefined;
  readonly requestsPerSecond?: number | undefined;
  readonly seed?: number | undefined;
  /** Where the addresses are written for `skopos lab break` and its kin. */
  readonly stateFile?: string | undefined;
}

export type LabProcessMessage =
  | {
      readonly type: "ready";
      readonly kubeUrl: string;
      readonly controlUrl: string;
      readonly gatewayUrl: string;
    }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "stopped"; readonly report: string };

const here = import.meta.dirname;

function tell(message: LabProcessMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send) return resolve();
    process.send(message, () => resolve());
  });
}

async function start(options: LabProcessOptions): Promise<Lab> {
  const lab = await startLab({
    topologyFile: options.topologyFile ?? path.join(here, "topologies/socialstream.yaml"),
    scenariosDir: path.join(here, "scenarios"),
    kubePort: options.kubePort ?? 0,
    controlPort: options.controlPort ?? 0,
    ...(options.collectorUrl === undefined
      ? {}
      : { otlpUrl: options.collectorUrl, lokiUrl: options.collectorUrl }),
    ...(options.requestsPerSecond === undefined ? {} : { rps: options.requestsPerSecond }),
    seed: options.seed ?? 1,
    podEntry: { path: path.join(here, "pod-process.js"), execArgv: [] },
    loadEntry: { path: path.join(here, "load-process.js"), execArgv: [] },
    log: (message) => process.stderr.write(`lab: ${message}\n`),
  });
  const { kubeUrl, controlUrl, gatewayUrl } = lab;
  if (options.stateFile !== undefined) {
    mkdirSync(path.dirname(options.stateFile), { recursive: true });
    writeFileSync(
      options.stateFile,
      JSON.stringify({ kubeUrl, controlUrl, gatewayUrl, pid: process.pid }),
    );
  }
  await tell({ type: "ready", kubeUrl, controlUrl, gatewayUrl });
  return lab;
}

async function run(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? "{}") as LabProcessOptions;
  // The terminal's Ctrl-C reaches the whole process group; the parent decides when we stop.
  process.on("SIGINT", () => {});
  const starting = start(options);
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    const lab = await starting;
    const report = await lab.report();
    await lab.stop();
    if (options.stateFile !== undefined) rmSync(options.stateFile, { force: true });
    await tell({ type: "stopped", report: report ? reportText(report) : "" });
    process.exit(0);
  };
  const onEnd = () => void stop().catch(() => process.exit(1));
  process.on("SIGTERM", onEnd);
  process.on("disconnect", onEnd);
  process.on("message", onEnd);
  await starting;
}

run().catch(async (error: unknown) => {
  await tell({ type: "failed", message: messageOf(error) });
  process.exit(1);
});
