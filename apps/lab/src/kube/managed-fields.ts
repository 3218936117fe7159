import type { Kind } from "./kinds.ts";
import type { KubeObject } from "./object.ts";

export type UpdateContext = { manager: string; subresource: string; nowMs: number };
export function trackUpdate(
  _kind: Kind,
  _previous: KubeObject | undefined,
  _next: KubeObject,
  _context: UpdateContext,
): void {}
export function applyServerSide(
  _kind: Kind,
  _previous: KubeObject | undefined,
  applied: KubeObject,
  _context: UpdateContext & { force: boolean },
): KubeObject {
  return applied;
}
