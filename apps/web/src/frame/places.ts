import {
  IconActivity,
  IconAlertTriangle,
  IconBell,
  IconChartLine,
  IconFlame,
  IconGitCompare,
  IconAlignLeft,
  IconShare3,
  IconTargetArrow,
} from "@tabler/icons-react";
import type { ComponentType } from "react";

export interface Place {
  readonly path: string;
  /** Addresses of pages that belong here too. */
  readonly also?: readonly string[];
  readonly name: string;
  readonly icon: ComponentType<{ size?: number; "aria-hidden"?: "true" }>;
}

/** The rail, in order. A place stands here when there is something to show. */
export const places: readonly Place[] = [
  { path: "/", name: "Now", icon: IconTargetArrow },
  { path: "/incidents", name: "Incidents", icon: IconAlertTriangle },
  { path: "/mesh", name: "Mesh", icon: IconShare3 },
  { path: "/traces", name: "Traces", icon: IconActivity },
  { path: "/logs", name: "Logs", icon: IconAlignLeft },
  { path: "/query", also: ["/targets", "/cardinality"], name: "Metrics", icon: IconChartLine },
  { path: "/alerts", also: ["/rules"], name: "Alerts", icon: IconBell },
  { path: "/changes", name: "Changes", icon: IconGitCompare },
  { path: "/practice", name: "Practice", icon: IconFlame },
];

/** How many places the bar of a phone holds; the rest is behind "More". */
export const barPlaces = 5;

export function isAt(place: Place, pathname: string): boolean {
  if (place.path === "/") return pathname === "/";
  return [place.path, ...(place.also ?? [])].some(
    (path) => pathname === path || pathname.startsWith(`${path}/`),
  );
}
