import type { TraceSummaryJson } from "@skopos/api";
import { webPaths } from "@skopos/api";
import { type PointerEvent, type ReactNode, useMemo, useRef, useState } from "react";
import { useAddress } from "../../frame/address.ts";
import { formatMs } from "../../logic/numbers.ts";
import {
  isSelected,
  type Scatter,
  scatterOf,
  type Selection,
  selectionOf,
} from "../../logic/scatter.ts";
import { clockTime } from "../../logic/times.ts";

interface Corner {
  readonly x: number;
  readonly y: number;
}

/** Pointer moves smaller than this are a click. */
const dragMin = 0.01;
/** A click opens the nearest point within this distance, in pixels. */
const reachPx = 14;

function cornerOf(event: PointerEvent, box: DOMRect): Corner {
  const share = (value: number) => Math.min(1, Math.max(0, value));
  return {
    x: share((event.clientX - box.left) / box.width),
    y: share(1 - (event.clientY - box.top) / box.height),
  };
}

function nearest(scatter: Scatter, at: Corner, box: DOMRect): TraceSummaryJson | null {
  let best: TraceSummaryJson | null = null;
  let reach = reachPx;
  for (const { x, y, trace } of scatter.points) {
    const distance = Math.hypot((x - at.x) * box.width, (y - at.y) * box.height);
    if (distance > reach) continue;
    reach = distance;
    best = trace;
  }
  return best;
}

/** Draw a rectangle to select; click a point to open it. The list below says the same to whoever cannot see it. */
export function ScatterPlot({
  traces,
  selection,
  select,
}: {
  readonly traces: readonly TraceSummaryJson[];
  readonly selection: Selection | null;
  readonly select: (selection: Selection | null) => void;
}): ReactNode {
  const { go } = useAddress();
  const scatter = useMemo(() => scatterOf(traces), [traces]);
  const [drag, setDrag] = useState<{ from: Corner; to: Corner } | null>(null);
  const plot = useRef<HTMLDivElement>(null);
  if (!scatter) return null;
  const boxOf = () => plot.current?.getBoundingClientRect();
  const finish = (event: PointerEvent) => {
    const box = boxOf();
    if (!drag || !box) return;
    const to = cornerOf(event, box);
    setDrag(null);
    if (Math.abs(to.x - drag.from.x) > dragMin || Math.abs(to.y - drag.from.y) > dragMin)
      return select(selectionOf(scatter, drag.from, to));
    const hit = nearest(scatter, to, box);
    if (hit) go(webPaths.trace(hit.traceId, hit.matched[0]));
    else if (selection) select(null);
  };
  return (
    <figure className="scatter" aria-label="Traces by time and duration">
      <h3>The traces below</h3>
      <div className="scatter-scale" aria-hidden="true">
        {scatter.ticks.map((ms, i) => (
          <span key={ms} style={{ bottom: `${(i / (scatter.ticks.length - 1)) * 100}%` }}>
            {formatMs(ms)}
          </span>
        ))}
      </div>
      <div
        ref={plot}
        className="scatter-plot"
        onPointerDown={(event) => {
          const box = boxOf();
          if (!box || event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const corner = cornerOf(event, box);
          setDrag({ from: corner, to: corner });
        }}
        onPointerMove={(event) => {
          const box = boxOf();
          if (drag && box) setDrag({ from: drag.from, to: cornerOf(event, box) });
        }}
        onPointerUp={finish}
        onPointerCancel={() => setDrag(null)}
      >
        <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
          {scatter.ticks.map((ms, i) => {
            const y = 1000 - (i / (scatter.ticks.length - 1)) * 1000;
            return <line key={ms} x1={0} x2={1000} y1={y} y2={y} className="scatter-rule" />;
          })}
        </svg>
        {scatter.points.map(({ trace, x, y }) => (
          <i
            key={trace.traceId}
            className={`${trace.errorCount > 0 ? "point error" : "point"}${isSelected(trace, selection) ? "" : " out"}`}
            style={{ left: `${x * 100}%`, bottom: `${y * 100}%` }}
          />
        ))}
        {drag && (
          <b
            className="scatter-drag"
            style={{
              left: `${Math.min(drag.from.x, drag.to.x) * 100}%`,
              bottom: `${Math.min(drag.from.y, drag.to.y) * 100}%`,
              width: `${Math.abs(drag.from.x - drag.to.x) * 100}%`,
              height: `${Math.abs(drag.from.y - drag.to.y) * 100}%`,
            }}
          />
        )}
      </div>
      <figcaption className="row between small quiet">
        <span>{clockTime(scatter.fromMs)}</span>
        <span className="hide-phone">◆ failed, ○ others; draw a box to select</span>
        <span>{clockTime(scatter.toMs)}</span>
      </figcaption>
    </figure>
  );
}
