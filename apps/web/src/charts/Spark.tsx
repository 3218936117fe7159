import type { Points } from "@skopos/api";
import type { ReactNode } from "react";
import { say, type Unit } from "../logic/numbers.ts";
import { drawSpark } from "../logic/spark.ts";
import { clockTime } from "../logic/times.ts";

interface SparkProps {
  readonly points: Points;
  readonly unit: Unit;
  readonly label: string;
  readonly height?: number;
  /** What is usual: drawn as a band. */
  readonly normal?: { readonly low: number; readonly high: number } | null;
  /** The moment it stopped being usual. */
  readonly onsetAt?: number | null;
  /** A limit to stay below. */
  readonly atMost?: number | null;
  /** Leaves out the words below. */
  readonly bare?: boolean;
}

const width = 480;

/** A small line chart whose last and highest values are readable without hovering. */
export function Spark({
  points,
  unit,
  label,
  height = 72,
  normal = null,
  onsetAt = null,
  atMost = null,
  bare = false,
}: SparkProps): ReactNode {
  const box = { width, height, pad: 4 };
  const also = [...(normal ? [normal.low, normal.high] : []), ...(atMost === null ? [] : [atMost])];
  const spark = drawSpark(points, box, also);
  if (!spark.last)
    return (
      <div className="spark-none quiet small" style={{ minHeight: bare ? height : height + 20 }}>
        No data in this range
      </div>
    );
  const last = say(spark.last.value, unit);
  const max = say(spark.max?.value, unit);
  const onset = onsetAt !== null && onsetAt >= spark.from && onsetAt <= spark.to ? onsetAt : null;
  const usual = normal
    ? `, usually ${say(normal.low, unit).text} to ${say(normal.high, unit).text}`
    : "";
  return (
    <figure className="spark">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: now ${last.text}, highest ${max.text}${usual}`}
        style={{ height }}
      >
        {normal && (
          <rect
            x={0}
            width={width}
            y={spark.y(normal.high)}
            height={Math.max(2, spark.y(normal.low) - spark.y(normal.high))}
            className="spark-band"
          />
        )}
        {atMost !== null && (
          <line
            x1={0}
            x2={width}
            y1={spark.y(atMost)}
            y2={spark.y(atMost)}
            className="spark-limit"
          />
        )}
        {onset !== null && (
          <line
            x1={spark.x(onset)}
            x2={spark.x(onset)}
            y1={0}
            y2={height}
            className="spark-onset"
          />
        )}
        <path d={spark.line} className="spark-line" />
      </svg>
      {!bare && (
        <figcaption className="small quiet">
          <span>
            now <b title={last.exact}>{last.text}</b>
          </span>
          <span>
            highest <b title={max.exact}>{max.text}</b>
          </span>
          {normal && (
            <span>
              <i className="key band" /> normal {say(normal.low, unit).text}–
              {say(normal.high, unit).text}
            </span>
          )}
          {onset !== null && (
            <span>
              <i className="key onset" /> since {clockTime(onset)}
            </span>
          )}
        </figcaption>
      )}
    </figure>
  );
}
