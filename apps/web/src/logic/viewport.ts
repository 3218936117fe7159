/** What part of a drawing is seen: pan, zoom, fit. Pure geometry. */
import type { Box } from "./graph-layout.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

const scaleMin = 0.05;
const scaleMax = 3;

/** The view that shows all of `box` in `size`, not larger than life. */
export function fitView(box: Box, size: Size): Box {
  if (size.width <= 0 || size.height <= 0) return box;
  const scale = Math.min(1.2, size.width / box.width, size.height / box.height);
  const width = size.width / scale;
  const height = size.height / scale;
  return {
    x: box.x - (width - box.width) / 2,
    y: box.y - (height - box.height) / 2,
    width,
    height,
  };
}

/** Below this names cannot be read: a bigger drawing opens on a part of itself. */
const readable = 0.5;

/** Where a view of `length` begins that has `at` in its middle but does not leave the drawing, which begins at `low`. */
function within(at: number, length: number, low: number, room: number): number {
  if (room <= length) return low - (length - room) / 2;
  return Math.min(low + room - length, Math.max(low, at - length / 2));
}

/** The first view: everything if that is readable, else what is around `focus`. */
export function firstView(box: Box, size: Size, focus: Point | null): Box {
  const all = fitView(box, size);
  if (size.width <= 0 || size.width / all.width >= readable) return all;
  const width = size.width / readable;
  const height = size.height / readable;
  const centre = focus ?? { x: box.x + width / 2, y: box.y + box.height / 2 };
  return {
    x: within(centre.x, width, box.x, box.width),
    y: within(centre.y, height, box.y, box.height),
    width,
    height,
  };
}

/** Zooms by `factor` (above 1: closer) around a point given as a share of the view, 0 to 1. */
export function zoomView(view: Box, size: Size, factor: number, around: Point): Box {
  const scale = size.width / view.width;
  const next = Math.min(scaleMax, Math.max(scaleMin, scale * factor));
  const width = size.width / next;
  const height = size.height / next;
  return {
    x: view.x + (view.width - width) * around.x,
    y: view.y + (view.height - height) * around.y,
    width,
    height,
  };
}

/** Moves by pixels of the screen. */
export function panView(view: Box, size: Size, by: Point): Box {
  const scale = size.width / view.width;
  return { ...view, x: view.x - by.x / scale, y: view.y - by.y / scale };
}

/** Moves just enough that a point stands inside, `margin` away from the border. */
export function revealPoint(view: Box, point: Point, margin = 60): Box {
  const shift = (at: number, low: number, length: number) => {
    const room = Math.min(margin, length / 4);
    if (at < low + room) return at - room - low;
    return at > low + length - room ? at - (low + length - room) : 0;
  };
  return {
    ...view,
    x: view.x + shift(point.x, view.x, view.width),
    y: view.y + shift(point.y, view.y, view.height),
  };
}
