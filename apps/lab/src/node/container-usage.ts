/**
 * Splits what a pod's one process uses between its containers. Modelled, since both run in it: CPU that the application
 * burnt on purpose is the application's, of the rest 60 % the proxy's; memory that the application holds on purpose is
 * its own, of the rest 45 % the proxy's. A pod with one container has all of it there.
 */
import type { ProcessUsage } from "./process-usage.ts";

const proxyCpuShare = 0.6;
const proxyMemoryShare = 0.45;

export interface OwnSpending {
  readonly appCpuSeconds: number;
  readonly ballastBytes: number;
}

export interface ContainerTotals {
  readonly container: string;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export function splitUsage(
  containers: readonly string[],
  used: ProcessUsage,
  own: OwnSpending,
): ContainerTotals[] {
  const only = containers[0];
  if (containers.length === 1 && only !== undefined) {
    return [{ container: only, cpuSeconds: used.cpuSeconds, memoryBytes: used.residentBytes }];
  }
  const sharedCpu = Math.max(0, used.cpuSeconds - own.appCpuSeconds);
  const sharedBytes = Math.max(0, used.residentBytes - own.ballastBytes);
  const applications = containers.filter((name) => name !== "istio-proxy");
  return containers.map((container) => {
    if (container === "istio-proxy") {
      return {
        container,
        cpuSeconds: sharedCpu * proxyCpuShare,
        memoryBytes: Math.round(sharedBytes * proxyMemoryShare),
      };
    }
    const cpu = used.cpuSeconds - sharedCpu * proxyCpuShare;
    const bytes = used.residentBytes - sharedBytes * proxyMemoryShare;
    return {
      container,
      cpuSeconds: cpu / applications.length,
      memoryBytes: Math.round(bytes / applications.length),
    };
  });
}
