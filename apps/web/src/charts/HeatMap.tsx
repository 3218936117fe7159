/**
 * How much fell into which bucket over time, on a canvas. A cell can be reached by pointer, by arrow keys, and as a row of
 * the table below. Nothing counted is left blank; nothing measured is hatched.
 */
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useRef,
  useState,
} from "react";
import {
  boundEvery,
  cellAt,
  fullCells,
  type Heat,
  type HeatCell,
  heatLevels,
  levelEnd,
  levelOf,
} from "../logic/heat.ts";
import { stepFor } from "../logic/series.ts";
import { toCsv } from "../logic/table.ts";
import { clockTime, dayName, fullTime } from "../logic/times.ts";
import { type Column, DataTable } from "../parts/DataTable.tsx";
import { cssColor, downloadCsv, downloadPng, useThemeKey } from "./canvas.ts";
import { Keep } from "./Keep.tsx";

interface HeatMapProps {
  readonly title: string;
  readonly heat: Heat;
  /** Writes a bound of a bucket. */
  readonly bound: (value: number) => string;
  /** Writes the value of a cell. */
  readonly amount: (value: number) => string;
  readonly height?: number;
  /** What choosing a cell does, and how that is said. */
  readonly choose?: { readonly words: string; readonly act: (cell: HeatCell) => void };
}

const tableMax = 2000;
/** Room for one bound on the axis, for one time below it, and for a hatch's stripe, in pixels. */
const boundPx = 20;
const timePx = 84;
const stripePx = 6;
/** Share of the width that a time at the right end would be cut in. */
const roomForTime = 0.04;

interface Place {
  readonly column: number;
  readonly row: number;
}

function hatch(context: CanvasRenderingContext2D, x: number, width: number, height: number): void {
  const stripe = stripePx * devicePixelRatio;
  context.save();
  context.beginPath();
  context.rect(x, 0, width, height);
  context.clip();
  context.beginPath();
  for (let at = Math.floor((x - height) / stripe) * stripe; at < x + width; at += stripe) {
    context.moveTo(at, height);
    context.lineTo(at + height, 0);
  }
  context.stroke();
  context.restore();
}

function draw(canvas: HTMLCanvasElement, heat: Heat): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height } = canvas;
  const columns = heat.times.length;
  const rows = heat.buckets.length;
  const colors = Array.from({ length: heatLevels + 1 }, (_, level) =>
    level === 0 ? "" : cssColor(`var(--heat-${level})`),
  );
  context.fillStyle = cssColor("var(--surface)");
  context.fillRect(0, 0, width, height);
  context.strokeStyle = cssColor("var(--line)");
  context.lineWidth = devicePixelRatio;
  for (let column = 0; column < columns; column++) {
    const x = Math.round((column / columns) * width);
    const next = Math.round(((column + 1) / columns) * width);
    let measured = false;
    for (let row = 0; row < rows; row++) {
      const value = heat.cells[row * columns + column] ?? NaN;
      measured ||= !Number.isNaN(value);
      const level = levelOf(value, heat.max);
      if (level === 0) continue;
      const top = Math.round((1 - (row + 1) / rows) * height);
      const bottom = Math.round((1 - row / rows) * height);
      context.fillStyle = colors[level] ?? "";
      context.fillRect(x, top, Math.max(1, next - x), Math.max(1, bottom - top));
    }
    if (!measured) hatch(context, x, next - x, height);
  }
}

function Scale({
  heat: { max, cells },
  amount,
}: {
  readonly heat: Heat;
  readonly amount: HeatMapProps["amount"];
}): ReactNode {
  return (
    <span className="heat-legend" aria-hidden="true">
      {amount(0)}
      {Array.from({ length: heatLevels }, (_, i) => (
        <i
          key={i}
          style={{ background: `var(--heat-${i + 1})` }}
          title={`up to ${amount(levelEnd(i + 1, max))}`}
        />
      ))}
      {amount(max)}
      {cells.some(Number.isNaN) && (
        <>
          <i className="none" /> no data
        </>
      )}
    </span>
  );
}

function cellWords(cell: HeatCell, { bound, amount }: Pick<HeatMapProps, "bound" | "amount">) {
  return {
    time: `${clockTime(cell.fromMs)}–${clockTime(cell.toMs)}`,
    bucket: bucketWords(cell, bound),
    value: Number.isNaN(cell.value) ? "no data" : amount(cell.value),
  };
}

function bucketWords(
  { lower, upper }: { readonly lower: number; readonly upper: number },
  bound: (value: number) => string,
): string {
  if (upper === Infinity) return `above ${bound(lower)}`;
  if (lower === -Infinity) return `up to ${bound(upper)}`;
  return `${bound(lower)} to ${bound(upper)}`;
}

function columnsOf({
  bound,
  amount,
  choose,
}: Pick<HeatMapProps, "bound" | "amount" | "choose">): Column<HeatCell>[] {
  const shown: Column<HeatCell>[] = [
    {
      key: "time",
      title: "Time",
      cell: ({ toMs }) => toMs,
      show: ({ fromMs, toMs }) => (
        <span className="num" title={fullTime(toMs)}>
          {clockTime(fromMs)}–{clockTime(toMs)}
        </span>
      ),
    },
    {
      key: "bucket",
      title: "Bucket",
      cell: ({ upper }) => upper,
      show: (cell) => bucketWords(cell, bound),
    },
    {
      key: "value",
      title: "Value",
      numeric: true,
      cell: ({ value }) => value,
      show: ({ value }) => <span title={`${value}`}>{amount(value)}</span>,
    },
  ];
  if (!choose) return shown;
  const button: Column<HeatCell> = {
    key: "choose",
    title: "",
    cell: () => null,
    show: (cell) => (
      <button type="button" className="button small" onClick={() => choose.act(cell)}>
        {choose.words}
      </button>
    ),
  };
  return [...shown, button];
}

const moves: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** Times to write below, as shares of the width. */
function timeTicks({ times, stepMs }: Heat, wanted: number) {
  const start = (times[0] ?? 0) - stepMs;
  const lengthMs = Math.max(1, times.length * stepMs);
  const tickMs = stepFor(lengthMs, Math.max(1, wanted));
  const ticks: { share: number; text: string }[] = [];
  for (let at = Math.ceil(start / tickMs) * tickMs; at < start + lengthMs; at += tickMs) {
    if ((at - start) / lengthMs > 1 - roomForTime) break;
    const clock = tickMs < 60_000 ? clockTime(at) : clockTime(at).slice(0, 5);
    const text = tickMs >= 86_400_000 ? dayName(at) : clock;
    ticks.push({ share: (at - start) / lengthMs, text });
  }
  return ticks;
}

export function HeatMap({
  title,
  heat,
  bound,
  amount,
  height = 260,
  choose,
}: HeatMapProps): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useThemeKey();
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState<Place | null>(null);
  const [listed, setListed] = useState(false);
  const columns = heat.times.length;
  const rows = heat.buckets.length;
  useEffect(() => {
    const plot = canvas.current?.parentElement;
    if (!plot) return undefined;
    const watch = new ResizeObserver(() => setWidth(plot.clientWidth));
    watch.observe(plot);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current;
    if (!element || width === 0) return;
    // Canvas keeps the colours it was drawn with: another theme means another drawing.
    element.dataset["theme"] = theme;
    element.width = Math.round(width * devicePixelRatio);
    element.height = Math.round(height * devicePixelRatio);
    draw(element, heat);
  }, [heat, width, height, theme]);

  const placeOf = (event: PointerEvent): Place => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (value: number) => Math.min(0.999999, Math.max(0, value));
    return {
      column: Math.floor(share((event.clientX - box.left) / box.width) * columns),
      row: Math.floor(share(1 - (event.clientY - box.top) / box.height) * rows),
    };
  };
  const cell = pointed && cellAt(heat, pointed.column, pointed.row);
  const press = (event: KeyboardEvent) => {
    const move = moves[event.key];
    if (move) {
      event.preventDefault();
      const from = pointed ?? { column: columns, row: 0 };
      setPointed({
        column: Math.min(columns - 1, Math.max(0, from.column + move[0])),
        row: Math.min(rows - 1, Math.max(0, from.row + move[1])),
      });
    } else if (event.key === "Enter" && cell && choose) choose.act(cell);
    else if (event.key === "Escape") setPointed(null);
  };
  const words = cell && cellWords(cell, { bound, amount });
  const every = boundEvery(rows, height / boundPx);
  const edges = [heat.buckets[0]?.lower ?? 0, ...heat.buckets.map(({ upper }) => upper)];
  const csv = () =>
    toCsv(
      ["time", ...heat.buckets.map((bucket) => bucketWords(bucket, bound))],
      heat.times.map((at, column) => [
        new Date(at).toISOString(),
        ...heat.buckets.map((_, row) => {
          const value = cellAt(heat, column, row)?.value ?? NaN;
          return Number.isNaN(value) ? null : value;
        }),
      ]),
    );
  return (
    <figure className="heat" aria-label={title}>
      <figcaption className="row between tight">
        <h3>{title}</h3>
        <span className="row tight">
          <span className="small num">
            {words && (
              <>
                <span className="quiet">
                  {words.time} · {words.bucket}
                </span>{" "}
                <b>{words.value}</b>
              </>
            )}
          </span>
          <Keep
            png={() => downloadPng(title, canvas.current)}
            csv={() => downloadCsv(title, csv())}
          />
        </span>
      </figcaption>
      <div className="heat-body">
        <div className="heat-bounds" aria-hidden="true">
          {edges.map((edge, i) =>
            i % every === 0 ? (
              <span key={edge} style={{ bottom: `${(i / rows) * 100}%` }}>
                {edge === Infinity ? "∞" : edge === -Infinity ? "-∞" : bound(edge)}
              </span>
            ) : null,
          )}
        </div>
        <div
          className={choose ? "heat-plot choosable" : "heat-plot"}
          style={{ height }}
          role="slider"
          aria-roledescription="heat map"
          aria-valuemin={0}
          aria-valuemax={columns * rows - 1}
          aria-valuenow={pointed ? pointed.column * rows + pointed.row : 0}
          aria-valuetext={
            words ? `${words.time}, ${words.bucket}: ${words.value}` : "no cell chosen"
          }
          aria-label={`${title}: arrow keys move from cell to cell${choose ? `, Enter: ${choose.words}` : ""}`}
          tabIndex={0}
          onKeyDown={press}
          onPointerMove={(event) => setPointed(placeOf(event))}
          onPointerLeave={() => setPointed(null)}
          onClick={() => {
            if (cell && cell.value > 0) choose?.act(cell);
          }}
        >
          <canvas ref={canvas} />
          {pointed && (
            <i
              className="heat-pointed"
              style={{
                left: `${(pointed.column / columns) * 100}%`,
                width: `${100 / columns}%`,
                bottom: `${(pointed.row / rows) * 100}%`,
                height: `${100 / rows}%`,
              }}
            />
          )}
        </div>
        <div className="heat-times" aria-hidden="true">
          {timeTicks(heat, width / timePx).map(({ share, text }) => (
            <span key={share} style={{ left: `${share * 100}%` }}>
              {text}
            </span>
          ))}
        </div>
      </div>
      <div className="row between tight small quiet">
        <Scale heat={heat} amount={amount} />
        <span>{choose ? `Click a cell: ${choose.words.toLowerCase()}` : ""}</span>
      </div>
      <details className="small" onToggle={(event) => setListed(event.currentTarget.open)}>
        <summary>As a table</summary>
        {listed && (
          <DataTable
            label="Cells that hold something"
            rows={fullCells(heat, tableMax)}
            rowKey={({ column, row }) => `${column} ${row}`}
            columns={columnsOf({ bound, amount, ...(choose && { choose }) })}
            sort="-time"
            parameter="cells"
          />
        )}
      </details>
    </figure>
  );
}
