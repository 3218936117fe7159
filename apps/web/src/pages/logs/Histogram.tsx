/** Lines over time by level, of the whole range, with what happened; drawing across the bars zooms in. */
import type { LogPage } from "@skopos/api";
import { type ReactNode, useState } from "react";
import { useMarks } from "../../data/use-marks.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { bucketMs, levels, stackBars } from "../../logic/histogram.ts";
import { formatCount, plural } from "../../logic/numbers.ts";
import { rangeParameters } from "../../logic/scope.ts";
import { clockTime } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";

const width = 600;
const height = 72;
const marksListed = 2;

export function Histogram({ histogram }: { readonly histogram: LogPage["histogram"] }): ReactNode {
  const { patch } = useAddress();
  const { time } = useScope();
  const marks = useMarks(time);
  const [drawn, setDrawn] = useState<{ from: number; to: number } | null>(null);
  const { bars, most } = stackBars(histogram);
  const eachMs = bucketMs(histogram);
  const [first] = bars;
  const last = bars.at(-1);
  if (!first || !last || most === 0) return null;
  const step = width / bars.length;
  const endMs = last.at + (eachMs ?? 1);
  const x = (at: number) => ((at - first.at) / (endMs - first.at)) * width;
  const shown = marks
    .filter(({ at }) => at >= first.at && at <= endMs)
    .toSorted((a, b) => b.at - a.at);
  const totals = levels
    .map((level) => ({
      level,
      count: histogram.reduce((sum, { counts }) => sum + (counts[level] ?? 0), 0),
    }))
    .filter(({ count }) => count > 0);
  const said = totals.map(({ level, count }) => `${formatCount(count)} ${level}`);
  const zoom = () => {
    const from = drawn && bars[Math.min(drawn.from, drawn.to)];
    const to = drawn && bars[Math.max(drawn.from, drawn.to)];
    setDrawn(null);
    if (from && to && eachMs !== null)
      patch(rangeParameters({ kind: "absolute", from: from.at, to: to.at + eachMs }));
  };
  return (
    <figure className="stack tight" data-testid="log-histogram">
      <svg
        className="log-bars"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Lines over time, at most ${formatCount(most)} per bar: ${said.join(", ")}`}
        onPointerLeave={() => setDrawn(null)}
      >
        {bars.map((bar, at) => (
          <g key={bar.at}>
            {bar.parts.map(({ level, from, to }) => (
              <rect
                key={level}
                className={level}
                x={at * step + step * 0.1}
                width={step * 0.8}
                y={height - to * (height - 2)}
                height={Math.max(0.8, (to - from) * (height - 2))}
              />
            ))}
            {eachMs !== null && (
              // The range picker does the same for the keyboard.
              <rect
                className={
                  drawn &&
                  at >= Math.min(drawn.from, drawn.to) &&
                  at <= Math.max(drawn.from, drawn.to)
                    ? "hit drawn"
                    : "hit"
                }
                x={at * step}
                width={step}
                y={0}
                height={height}
                onPointerDown={(event) => {
                  event.currentTarget.releasePointerCapture(event.pointerId);
                  setDrawn({ from: at, to: at });
                }}
                onPointerEnter={() => setDrawn((was) => was && { ...was, to: at })}
                onPointerUp={zoom}
              >
                <title>
                  {clockTime(bar.at)}: {plural(bar.total, "line")}
                </title>
              </rect>
            )}
          </g>
        ))}
        {shown.map(({ at, kind, label, path }) => (
          <line
            key={`${path} ${at}`}
            className={`mark ${kind}`}
            x1={x(at)}
            x2={x(at)}
            y1={0}
            y2={height}
          >
            <title>{label}</title>
          </line>
        ))}
      </svg>
      <figcaption className="row between tight small quiet log-axis">
        <span>{clockTime(first.at)}</span>
        <span className="row tight">
          {totals.map(({ level, count }) => (
            <span key={level} className="key-of">
              <i className={level} /> {formatCount(count)} {level}
            </span>
          ))}
        </span>
        <span>{clockTime(endMs)}</span>
      </figcaption>
      {shown.length > 0 && (
        <ul className="log-marks small" aria-label="Changes and incidents in this time">
          {shown.slice(0, marksListed).map(({ at, kind, label, path }) => (
            <li key={`${path} ${at}`}>
              <span className="num quiet">{clockTime(at)}</span>{" "}
              <span aria-hidden="true">{kind === "incident" ? "◆" : "●"}</span>{" "}
              <Go to={path}>{label}</Go>
            </li>
          ))}
          {shown.length > marksListed && (
            <li className="quiet">and {shown.length - marksListed} more</li>
          )}
        </ul>
      )}
    </figure>
  );
}
