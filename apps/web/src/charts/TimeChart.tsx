/** Lines or stacked areas over time (uPlot): gaps stay gaps, last and highest readable without hovering, marks for what happened. */
import "uplot/dist/uPlot.min.css";
import { webPaths } from "@skopos/api";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import UPlot from "uplot";
import { useAddress } from "../frame/address.ts";
import { plural, say, significant, type Unit } from "../logic/numbers.ts";
import { rangeParameters } from "../logic/scope.ts";
import type { Exemplar } from "../logic/exemplars.ts";
import { alignLines, extremes, type Line, stackUp } from "../logic/series.ts";
import { toCsv } from "../logic/table.ts";
import { clockTime, dayName, fullTime } from "../logic/times.ts";
import { Go } from "../parts/Go.tsx";
import { cssColor, downloadCsv, downloadPng, useThemeKey } from "./canvas.ts";
import { drawExemplars, type ExemplarMarks, exemplarUnder } from "./exemplar-marks.ts";
import { Keep } from "./Keep.tsx";

export interface Mark {
  readonly at: number;
  readonly kind: "change" | "incident";
  readonly label: string;
  readonly path: string;
}

interface TimeChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly unit: Unit;
  /** Unix milliseconds. */
  readonly start: number;
  readonly end: number;
  readonly marks?: readonly Mark[];
  readonly height?: number;
  /** Areas on top of each other instead of lines. */
  readonly stacked?: boolean;
  readonly exemplars?: ExemplarMarks;
}

/** One cursor across all charts of the page. */
const cursorKey = "page";
const seriesColors = 8;
/** Lines listed below the chart; a chart of more is read in the table. */
const legendMax = 12;
const pivotMs = 150_000;

function lineColor(at: number): string {
  return `var(--series-${(at % seriesColors) + 1})`;
}

function drawMarks(plot: UPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  for (const { at, kind } of marks) {
    const x = plot.valToPos(at / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = cssColor(kind === "incident" ? "var(--failing)" : "var(--text-3)");
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Seconds when ticks are closer than a minute, the day when they are a day apart. */
function axisTime(atMs: number, ticks: readonly number[]): string {
  const gapSeconds = (ticks[1] ?? 0) - (ticks[0] ?? 0);
  if (gapSeconds >= 86_400) return dayName(atMs);
  return gapSeconds < 60 ? clockTime(atMs) : clockTime(atMs).slice(0, 5);
}

function Pivot({ at }: { readonly at: number }): ReactNode {
  const range = { from: at - pivotMs, to: at + pivotMs };
  return (
    <p className="row tight small">
      <span title={fullTime(at)}>At {clockTime(at)}:</span>
      <Go to={webPaths.traces(undefined, range)}>Traces</Go>
      <Go to={webPaths.logs(undefined, range)}>Logs</Go>
      <Go to={webPaths.changes({}, range)}>Changes</Go>
      <Go to={webPaths.mesh({}, range)}>Mesh</Go>
    </p>
  );
}

/** Links to the traces behind the diamonds, for whoever cannot point at them. */
function ExemplarList({
  exemplars,
  unit,
}: {
  readonly exemplars: readonly Exemplar[];
  readonly unit: Unit | null;
}): ReactNode {
  return (
    <details className="small">
      <summary>
        <span aria-hidden="true">◇</span> {plural(exemplars.length, "request")} with a trace
      </summary>
      <ul className="exemplar-list">
        {exemplars.map(({ traceId, atMs, value, label }) => (
          <li key={`${traceId} ${atMs} ${value}`}>
            <Go to={webPaths.trace(traceId)} title={traceId}>
              {clockTime(atMs)}
            </Go>{" "}
            <b className="num">{unit === null ? significant(value) : say(value, unit).text}</b>{" "}
            <span className="quiet">{label}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

const noExemplars: ExemplarMarks = { exemplars: [], onAxis: false };

export function TimeChart({
  title,
  lines,
  unit,
  start,
  end,
  marks = [],
  height = 200,
  stacked = false,
  exemplars = noExemplars,
}: TimeChartProps): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const plotted = useRef<UPlot | null>(null);
  const { patch, go } = useAddress();
  const theme = useThemeKey();
  const [pointed, setPointed] = useState<number | null>(null);
  const [picked, setPicked] = useState<number | null>(null);
  const aligned = useMemo(() => alignLines(lines), [lines]);
  // What stands higher is drawn first, so that each area covers the foot of the one above it.
  const drawn = useMemo(
    () => [aligned.times, ...(stacked ? stackUp(aligned.values).toReversed() : aligned.values)],
    [aligned, stacked],
  ) as UPlot.AlignedData;
  const labels = lines.map(({ label }) => label).join("\n");
  const latest = useRef({ drawn, marks, exemplars, start, end, patch, go });
  useEffect(() => {
    latest.current = { drawn, marks, exemplars, start, end, patch, go };
    const plot = plotted.current;
    if (!plot) return;
    plot.setData(drawn, false);
    plot.setScale("x", { min: start / 1000, max: end / 1000 });
  }, [drawn, marks, exemplars, start, end, patch, go]);

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    // Canvas keeps the colours it was drawn with: another theme means another drawing.
    element.dataset["theme"] = theme;
    const axis = {
      stroke: cssColor("var(--text-2)"),
      grid: { stroke: cssColor("var(--line)"), width: 1 },
    };
    const font = "12px system-ui, sans-serif";
    const names = labels.split("\n");
    const series = names.map((label, at) => ({
      label,
      stroke: cssColor(lineColor(at)),
      width: stacked ? 1 : 1.6,
      spanGaps: false,
      points: { show: false },
      ...(stacked && {
        fill: cssColor(`color-mix(in srgb, ${lineColor(at)} 45%, var(--surface))`),
      }),
    }));
    const plot = new UPlot(
      {
        width: Math.max(200, element.clientWidth),
        height,
        legend: { show: false },
        cursor: {
          sync: { key: cursorKey },
          drag: { x: true, y: false, setScale: false },
          y: false,
        },
        scales: {
          x: { time: true, range: (_, min, max) => [min, max] },
          y: { range: (_, min, max) => [Math.min(0, min), max > 0 ? max * 1.08 : 1] },
        },
        axes: [
          {
            ...axis,
            font,
            size: 28,
            space: 72,
            ticks: { show: false },
            values: (_, ticks) => ticks.map((tick) => axisTime(tick * 1000, ticks)),
          },
          {
            ...axis,
            font,
            size: 74,
            ticks: { show: false },
            values: (_, ticks) => ticks.map((tick) => say(tick, unit).text),
          },
        ],
        series: [{}, ...(stacked ? series.toReversed() : series)],
        hooks: {
          draw: [
            (self) => {
              drawMarks(self, latest.current.marks);
              drawExemplars(self, latest.current.exemplars);
            },
          ],
          setCursor: [
            (self) => {
              setPointed(self.cursor.idx ?? null);
              self.over.style.cursor = exemplarUnder(self, latest.current.exemplars)
                ? "pointer"
                : "";
            },
          ],
          setSelect: [
            (self) => {
              const { left, width } = self.select;
              if (width < 8) return;
              const from = self.posToVal(left, "x") * 1000;
              const to = self.posToVal(left + width, "x") * 1000;
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              latest.current.patch(rangeParameters({ kind: "absolute", from, to }));
            },
          ],
        },
      },
      latest.current.drawn,
      element,
    );
    plot.setScale("x", { min: latest.current.start / 1000, max: latest.current.end / 1000 });
    plotted.current = plot;
    const pick = () => {
      const exemplar = exemplarUnder(plot, latest.current.exemplars);
      if (exemplar) return latest.current.go(webPaths.trace(exemplar.traceId));
      const left = plot.cursor.left ?? -1;
      if (left >= 0) setPicked(plot.posToVal(left, "x") * 1000);
    };
    plot.over.addEventListener("click", pick);
    const watch = new ResizeObserver(() =>
      plot.setSize({ width: Math.max(200, element.clientWidth), height }),
    );
    watch.observe(element);
    return () => {
      watch.disconnect();
      plotted.current = null;
      plot.destroy();
    };
  }, [labels, unit, height, theme, stacked]);

  const csv = () =>
    toCsv(
      ["time", ...lines.map(({ label }) => label)],
      aligned.times.map((at, row) => [
        new Date(at * 1000).toISOString(),
        ...aligned.values.map((values) => values[row] ?? null),
      ]),
    );
  const pointedAt = pointed === null ? undefined : aligned.times[pointed];
  return (
    <figure className="time-chart" aria-label={title}>
      <figcaption className="row between tight">
        <h3>{title}</h3>
        <span className="row tight">
          <span className="small quiet num" style={{ minWidth: 64 }}>
            {pointedAt === undefined ? "" : clockTime(pointedAt * 1000)}
          </span>
          <Keep
            png={() => downloadPng(title, holder.current?.querySelector("canvas"))}
            csv={() => downloadCsv(title, csv())}
          />
        </span>
      </figcaption>
      <div ref={holder} style={{ height }} />
      {picked !== null && <Pivot at={picked} />}
      {exemplars.exemplars.length > 0 && (
        <ExemplarList exemplars={exemplars.exemplars} unit={exemplars.onAxis ? unit : null} />
      )}
      <ul className="chart-legend small">
        {lines.slice(0, legendMax).map(({ label, points }, at) => {
          const { last, max } = extremes(points);
          const value = pointed === null ? undefined : aligned.values[at]?.[pointed];
          return (
            <li key={label}>
              <i style={{ background: lineColor(at) }} />
              <span className="chart-label" title={label}>
                {label}
              </span>
              <span className="num quiet">
                {pointed !== null && <b>{say(value, unit).text}</b>} last{" "}
                <b>{say(last, unit).text}</b> · max <b>{say(max, unit).text}</b>
              </span>
            </li>
          );
        })}
        {lines.length > legendMax && (
          <li className="quiet more">and {lines.length - legendMax} more lines, see the table</li>
        )}
      </ul>
    </figure>
  );
}
