/** A lab small enough for tests: SocialStream with one replica of everything, pods run from source. */
import { fileURLToPath } from "node:url";
import { type Lab, type LabOptions, startLab } from "../lab.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const fromSource = ["--import", import.meta.resolve("tsx")];

export function startTestLab(options: Partial<LabOptions> = {}): Promise<Lab> {
  return startLab({
    topologyFile: here("../../topologies/socialstream.yaml"),
    scenariosDir: here("../../scenarios"),
    kubePort: 0,
    controlPort: 0,
    seed: 1,
    replicas: 1,
    rps: 16,
    podEntry: { path: here("../entries/pod-process.ts"), execArgv: fromSource },
    loadEntry: { path: here("../entries/load-process.ts"), execArgv: fromSource },
    log: () => undefined,
    ...options,
  });
}

/** Asks every 200 ms until `check` holds; throws with `what` when it does not within `withinMs`. */
export async function until(
  what: string,
  check: () => Promise<boolean> | boolean,
  withinMs = 30_000,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
