/** What a `kubernetes_sd_config` can discover. */
export const kubernetesRoles = [
  "pod",
  "service",
  "endpoints",
  "endpointslice",
  "node",
  "ingress",
] as const;

export type KubernetesRole = (typeof kubernetesRoles)[number];
