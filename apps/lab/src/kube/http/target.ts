import { apiVersionOf, type Kind, kindOfResource } from "../kinds.ts";
import { noSuchPath } from "../status-error.ts";

/** What a resource path names: `/apis/<group>/<version>[/namespaces/<namespace>]/<plural>[/<name>[/<subresource>]]`. */
export type Target = {
  kind: Kind;
  version: string;
  /** Group and version as objects carry them. */
  apiVersion: string;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
};

/** The resource a path names, or undefined where it is no resource path; unknown resources are a 404. */
export function parseTarget(pathname: string): Target | undefined {
  const parts = pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decodeSegment);
  const root = parts[0];
  const core = root === "api";
  if (!core && root !== "apis") return undefined;
  const group = core ? "" : (parts[1] ?? "");
  const version = (core ? parts[1] : parts[2]) ?? "";
  const rest = parts.slice(core ? 2 : 3);
  if (rest.length === 0) return undefined;
  const inNamespace = rest[0] === "namespaces" && rest.length > 2 && !isNamespacePart(rest[2]);
  const [plural = "", name, subresource, ...extra] = inNamespace ? rest.slice(2) : rest;
  const kind = kindOfResource(group, version, plural);
  if (kind === undefined || extra.length > 0) throw noSuchPath();
  if (inNamespace && !kind.namespaced) throw noSuchPath();
  if (subresource !== undefined && !kind.subresources.includes(subresource)) throw noSuchPath();
  if (name !== undefined && kind.namespaced && !inNamespace) throw noSuchPath();
  return {
    kind,
    version,
    apiVersion: apiVersionOf(group, version),
    namespace: inNamespace ? rest[1] : undefined,
    name,
    subresource,
  };
}

function isNamespacePart(segment: string | undefined): boolean {
  return segment === "status" || segment === "finalize";
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw noSuchPath();
  }
}
