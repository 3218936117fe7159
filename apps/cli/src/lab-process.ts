/** The practice mesh in a process of its own: it ends when we end, however we end. */
import { fork } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { LabProcessMessage, LabProcessOptions } from "@skopos/lab";
import { SkoposError } from "@skopos/model";

export interface LabProcess {
  readonly kubeUrl: string;
  readonly controlUrl: string;
  readonly gatewayUrl: string;
  /** Stops it; resolves with the load's report, as text. */
  stop(): Promise<string | undefined>;
}

const startMsMax = 60_000;
const stopMsMax = 15_000;

export function startLabProcess(options: LabProcessOptions): Promise<LabProcess> {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const file = path.join(here, "lab-process.js");
  const child = fork(file, [JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => fail(`the practice mesh did not start within ${startMsMax / 1000} s`),
      startMsMax,
    );
    const fail = (message: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new SkoposError("lab", message));
    };
    child.once("exit", (code) => fail(`the practice mesh ended with code ${code ?? "none"}`));
    child.on("message", (raw) => {
      const message = raw as LabProcessMessage;
      if (message.type === "failed") fail(message.message);
      if (message.type !== "ready") return;
      clearTimeout(timer);
      child.removeAllListeners("exit");
      const { kubeUrl, controlUrl, gatewayUrl } = message;
      resolve({ kubeUrl, controlUrl, gatewayUrl, stop: () => stopChild() });
    });
    const stopChild = () =>
      new Promise<string | undefined>((done) => {
        let report: string | undefined;
        if (child.exitCode !== null || child.signalCode !== null) return done(undefined);
        const killer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
        child.on("message", (raw) => {
          const message = raw as LabProcessMessage;
          if (message.type === "stopped") report = message.report;
        });
        child.once("exit", () => {
          clearTimeout(killer);
          done(report);
        });
        child.send({ type: "stop" });
      });
  });
}
