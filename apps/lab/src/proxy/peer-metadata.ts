/** Istio's peer metadata exchange over HTTP headers: sidecars tell each other which workload they stand beside. */
import { headerOf, type Headers } from "../http/message.ts";
import type { WorkloadIdentity } from "./config.ts";

export const peerHeaders: ReadonlySet<string> = new Set([
  "x-envoy-peer-metadata",
  "x-envoy-peer-metadata-id",
]);

const decodedMax = 1000;
const decoded = new Map<string, Partial<WorkloadIdentity>>();

export function peerMetadataHeaders(self: WorkloadIdentity, address: string): Headers {
  const id = `sidecar~${address}~${self.pod}.${self.namespace}~${self.namespace}.svc.cluster.local`;
  const metadata = Buffer.from(JSON.stringify(self)).toString("base64");
  return ["x-envoy-peer-metadata-id", id, "x-envoy-peer-metadata", metadata];
}

/** What the caller says of itself; empty when it says nothing readable. Not to be trusted for access decisions. */
export function peerFrom(headers: Headers): Partial<WorkloadIdentity> {
  const text = headerOf(headers, "x-envoy-peer-metadata");
  if (text === undefined) return {};
  const known = decoded.get(text);
  if (known !== undefined) return known;
  const peer = decode(text);
  if (decoded.size >= decodedMax) decoded.clear();
  decoded.set(text, peer);
  return peer;
}

function decode(text: string): Partial<WorkloadIdentity> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, "base64").toString());
  } catch {
    return {};
  }
  if (typeof value !== "object" || value === null) return {};
  const fields = [
    "workload",
    "namespace",
    "app",
    "version",
    "canonicalService",
    "canonicalRevision",
    "principal",
    "cluster",
    "pod",
  ] as const;
  const peer: { -readonly [K in keyof WorkloadIdentity]?: string } = {};
  for (const field of fields) {
    const part: unknown = Reflect.get(value, field);
    if (typeof part === "string") peer[field] = part;
  }
  return peer;
}
