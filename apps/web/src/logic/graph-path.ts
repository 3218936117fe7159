/** The line of an edge between two nodes: leaves one disc, passes its bends, and ends in an arrow at the other. */
import type { Direction, Place } from "./graph-layout.ts";

export interface EdgePath {
  readonly d: string;
  /** Where a label stands. */
  readonly middle: Place;
  /** The arrow's tip and the direction it points to, in degrees. */
  readonly tip: Place;
  readonly turn: number;
}

const arrow = 7;

/** A smooth line through points, flat where it starts and ends. */
function curve(points: readonly Place[], down: boolean): string {
  let d = "";
  for (let at = 1; at < points.length; at++) {
    const a = points[at - 1];
    const b = points[at];
    if (!a || !b) continue;
    if (at === 1) d += `M${a.x.toFixed(1)} ${a.y.toFixed(1)}`;
    const c = down
      ? [a.x, (a.y + b.y) / 2, b.x, (a.y + b.y) / 2]
      : [(a.x + b.x) / 2, a.y, (a.x + b.x) / 2, b.y];
    d += `C${[...c, b.x, b.y].map((value) => value.toFixed(1)).join(" ")}`;
  }
  return d;
}

/** Ends beside each other or leads back: an arc around. */
function arc(from: Place, to: Place, fromRadius: number, toRadius: number): EdgePath {
  const start = { x: from.x, y: from.y + fromRadius };
  const tip = { x: to.x, y: to.y + toRadius + 1 };
  const low = Math.max(start.y, tip.y) + 54;
  const end = { x: tip.x, y: tip.y + arrow };
  return {
    d: `M${start.x} ${start.y}C${start.x} ${low} ${end.x} ${low} ${end.x} ${end.y}`,
    middle: { x: (start.x + end.x) / 2, y: (start.y + 3 * low + 3 * low + end.y) / 8 },
    tip,
    turn: -90,
  };
}

export function edgePath(
  from: Place,
  to: Place,
  radii: readonly [number, number],
  bends: readonly Place[],
  direction: Direction,
): EdgePath {
  const down = direction === "down";
  const ahead = down ? to.y - from.y : to.x - from.x;
  if (ahead <= 20) return arc(from, to, radii[0], radii[1]);
  const start = down ? { x: from.x, y: from.y + radii[0] } : { x: from.x + radii[0], y: from.y };
  const tip = down ? { x: to.x, y: to.y - radii[1] - 1 } : { x: to.x - radii[1] - 1, y: to.y };
  const end = down ? { x: tip.x, y: tip.y - arrow } : { x: tip.x - arrow, y: tip.y };
  const inside = bends.filter((bend) =>
    down ? bend.y > start.y && bend.y < end.y : bend.x > start.x && bend.x < end.x,
  );
  const points = [start, ...inside, end];
  const at = Math.floor(points.length / 2);
  const a = points[at - 1] ?? start;
  const b = points[at] ?? end;
  return {
    d: curve(points, down),
    middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
    tip,
    turn: down ? 90 : 0,
  };
}
