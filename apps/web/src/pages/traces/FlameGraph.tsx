import type { TraceOutline } from "@skopos/api";
import { type ReactNode, useMemo } from "react";
import { type FlameBox, flameBoxes } from "../../logic/flame.ts";
import { shortHost } from "../../logic/names.ts";
import { formatMs, plural } from "../../logic/numbers.ts";

const rowHeight = 22;

function says(box: FlameBox): string {
  return `${box.service} ${box.name}: ${formatMs(box.totalMs)} in it and below, ${formatMs(box.exclusiveMs)} itself, ${plural(box.spans, "span")}${box.errors > 0 ? `, ${box.errors} failed` : ""}`;
}

export default function FlameGraph({
  trace,
  color,
  names,
  select,
}: {
  readonly trace: TraceOutline;
  readonly color: (service: number) => string;
  readonly names: readonly string[];
  readonly select: (row: number) => void;
}): ReactNode {
  const boxes = useMemo(() => flameBoxes(trace), [trace]);
  const deepest = boxes.reduce((most, { depth }) => Math.max(most, depth), 0);
  return (
    <div className="stack tight">
      <p className="small quiet">
        Spans of the same operation on the same path are one box, as wide as the time spent in them
        and below.
      </p>
      <div className="flame" style={{ height: (deepest + 1) * rowHeight }}>
        {boxes.map((box) => {
          const service = trace.service[box.row] ?? 0;
          return (
            <button
              key={`${box.depth} ${box.row}`}
              type="button"
              className={box.errors > 0 ? "flame-box error" : "flame-box"}
              style={{
                left: `${box.left * 100}%`,
                width: `${box.width * 100}%`,
                top: box.depth * rowHeight,
                height: rowHeight - 2,
                borderInlineStartColor: color(service),
              }}
              title={says(box)}
              aria-label={says(box)}
              onClick={() => select(box.row)}
            >
              {box.width > 0.04 && (
                <>
                  <b>{names[service]}</b> {shortHost(box.name)}
                  {box.spans > 1 && ` ×${box.spans}`}
                </>
              )}
            </button>
          );
        })}
      </div>
    </div>
  );
}
