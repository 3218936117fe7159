/** Exemplars as diamonds on a uPlot chart: drawing them, and finding the one under the pointer. */
import type UPlot from "uplot";
import { type Exemplar, heightOf, thinExemplars } from "../logic/exemplars.ts";
import { cssColor } from "./canvas.ts";

/** Half a diamond's width, and how far from its middle it is still meant, in CSS pixels. */
const halfPx = 4.5;
const reachPx = 12;
/** Width that a diamond has for itself. */
const roomPx = 12;

export interface ExemplarMarks {
  readonly exemplars: readonly Exemplar[];
  /** Whether their values are of the axis' kind; else they stand at its bottom. */
  readonly onAxis: boolean;
}

/** Share of the plot's width and height, from the left and the bottom. */
function placeOf(plot: UPlot, marks: ExemplarMarks, exemplar: Exemplar) {
  const { min = 0, max = 1 } = plot.scales["y"] ?? {};
  const { min: from = 0, max: to = 1 } = plot.scales["x"] ?? {};
  const length = (to ?? 1) - (from ?? 0);
  return {
    x: length > 0 ? (exemplar.atMs / 1000 - (from ?? 0)) / length : -1,
    y: heightOf(exemplar, { min: min ?? 0, max: max ?? 1 }, marks.onAxis),
  };
}

const shownOn = ({ over }: UPlot, { exemplars }: ExemplarMarks) =>
  thinExemplars(exemplars, Math.max(1, Math.floor(over.clientWidth / roomPx)));

export function drawExemplars(plot: UPlot, marks: ExemplarMarks): void {
  if (marks.exemplars.length === 0) return;
  const { ctx, bbox } = plot;
  const half = halfPx * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = cssColor("var(--surface)");
  ctx.strokeStyle = cssColor("var(--text)");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const exemplar of shownOn(plot, marks)) {
    const { x, y } = placeOf(plot, marks, exemplar);
    if (x < 0 || x > 1) continue;
    const middle = bbox.left + x * bbox.width;
    const height = bbox.top + (1 - y) * bbox.height;
    ctx.beginPath();
    ctx.moveTo(middle, height - half);
    ctx.lineTo(middle + half, height);
    ctx.lineTo(middle, height + half);
    ctx.lineTo(middle - half, height);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

/** The exemplar under the chart's own cursor. */
export function exemplarUnder(plot: UPlot, marks: ExemplarMarks): Exemplar | null {
  const { left = -1, top = -1 } = plot.cursor;
  const { clientWidth: width, clientHeight: height } = plot.over;
  if (left < 0 || top < 0) return null;
  let best: Exemplar | null = null;
  let reach = reachPx;
  for (const exemplar of shownOn(plot, marks)) {
    const { x, y } = placeOf(plot, marks, exemplar);
    const distance = Math.hypot(x * width - left, (1 - y) * height - top);
    if (distance > reach) continue;
    reach = distance;
    best = exemplar;
  }
  return best;
}
