/** Which TLS mode a workload's port enforces: PeerAuthentication by workload, then namespace, then mesh; else PERMISSIVE. */
import { mapAt, stringAt } from "../kube/json.ts";
import type { KubeObject } from "../kube/object.ts";
import type { ServerTlsMode } from "../proxy/config.ts";
import { rootNamespace, selects, type Workload } from "./registry.ts";

export function serverTlsMode(
  policies: readonly KubeObject[],
  workload: Workload,
  port: number,
): ServerTlsMode {
  if (!workload.hasSidecar) return "DISABLE";
  const { namespace } = workload.identity;
  const inNamespace = policies.filter((policy) => policy.metadata.namespace === namespace);
  const own = inNamespace.filter(hasSelector).find((policy) => selectsWorkload(policy, workload));
  const byPort = own && modeAt(own, "portLevelMtls", String(port), "mode");
  const candidates = [
    byPort,
    own && modeAt(own, "mtls", "mode"),
    firstMode(inNamespace),
    firstMode(policies.filter((policy) => policy.metadata.namespace === rootNamespace)),
  ];
  return candidates.find((mode) => mode !== undefined) ?? "PERMISSIVE";
}

function firstMode(policies: readonly KubeObject[]): ServerTlsMode | undefined {
  for (const policy of policies) {
    const mode = hasSelector(policy) ? undefined : modeAt(policy, "mtls", "mode");
    if (mode !== undefined) return mode;
  }
  return undefined;
}

function hasSelector(policy: KubeObject): boolean {
  return Object.keys(mapAt(policy, "spec", "selector", "matchLabels")).length > 0;
}

function selectsWorkload(policy: KubeObject, workload: Workload): boolean {
  return selects(mapAt(policy, "spec", "selector", "matchLabels"), workload.labels);
}

/** UNSET means inherited. */
function modeAt(policy: KubeObject, ...path: string[]): ServerTlsMode | undefined {
  const mode = stringAt(policy, "spec", ...path);
  return mode === "STRICT" || mode === "PERMISSIVE" || mode === "DISABLE" ? mode : undefined;
}
