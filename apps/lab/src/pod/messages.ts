/** What a pod's process and the node agent tell each other over IPC. */
import type { ProxyConfig, WorkloadIdentity } from "../proxy/config.ts";
import type { IssuedIdentity } from "../proxy/identity.ts";
import type { AppDefinition } from "./app-definition.ts";

export interface PodStart {
  readonly type: "start";
  readonly self: WorkloadIdentity;
  readonly role: "sidecar" | "gateway";
  /** Where the pod is reached. */
  readonly address: string;
  /** Where the application itself listens, apart from the pod's address, as behind iptables. */
  readonly appAddress: string;
  /** The machine has no address per pod: listen on free ports of `address` and say which. */
  readonly freePorts: boolean;
  readonly ports: readonly { readonly port: number; readonly protocol: "http" | "tcp" }[];
  readonly app: AppDefinition | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly otlpUrl: string | undefined;
  readonly serviceName: string;
  readonly seed: number;
  readonly proxyTag: string;
}

export type ToPod =
  | PodStart
  | { readonly type: "identity"; readonly issued: IssuedIdentity }
  | { readonly type: "config"; readonly config: ProxyConfig }
  | { readonly type: "drain"; readonly graceMs: number };

export type FromPod =
  | { readonly type: "csr"; readonly publicKey: string }
  | {
      readonly type: "listening";
      /** Container port → port it is reached at. */
      readonly ports: Readonly<Record<string, number>>;
      readonly statsPort: number;
      readonly outboundPort: number;
    }
  | { readonly type: "applied"; readonly version: string }
  | { readonly type: "rejected"; readonly version: string; readonly reason: string }
  | {
      readonly type: "spent";
      /** CPU that the application's own work burnt, and the whole process, in seconds since start. */
      readonly appCpuSeconds: number;
      readonly processCpuSeconds: number;
      readonly residentBytes: number;
      readonly ballastBytes: number;
    };
