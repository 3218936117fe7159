/** A pod that this process stands in for (istiod, kube-state-metrics, cAdvisor): a real HTTP server at the pod's address. */
import { createServer } from "node:http";
import { messageOf } from "@skopos/model";
import { listen } from "../pod/listen.ts";
import type { PodRunState, RunPhase } from "./pod-status.ts";

/** Name of the control workload → the text it serves at /metrics. */
export type ControlPages = Readonly<Record<string, () => string>>;

export interface ControlPod {
  state(): PodRunState;
  stop(): void;
  kill(): void;
}

export function runControlPod(
  pages: ControlPages,
  name: string,
  at: { readonly address: string; readonly port: number; readonly free: boolean },
  changed: () => void,
  stopped: () => void,
): ControlPod {
  const startedMs = Date.now();
  let phase: RunPhase = { kind: "creating" };
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path === "/ready" || path === "/healthz") return response.writeHead(200).end();
    const page = pages[name];
    if (path !== "/metrics" || page === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    return response.end(page());
  });
  const begin = async () => {
    try {
      await listen(server, at.address, at.free ? 0 : at.port);
      phase = { kind: "running", sinceMs: Date.now() };
    } catch (error) {
      phase = { kind: "waiting", reason: "CrashLoopBackOff", message: messageOf(error) };
    }
    changed();
  };
  void begin();
  const stop = () => {
    server.close();
    server.closeAllConnections();
    stopped();
  };
  return {
    state: () => ({
      phase,
      ready: phase.kind === "running",
      restarts: 0,
      address: at.address,
      nodeAddress: "127.0.0.1",
      startedMs,
      lastExit: undefined,
    }),
    stop,
    kill: stop,
  };
}
