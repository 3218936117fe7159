/** Lines over time (uPlot): gaps stay gaps, last and highest readable without hovering, marks for what happened. */
import "uplot/dist/uPlot.min.css";
import { webPaths } from "@skopos/api";
import { useMediaQuery } from "@mantine/hooks";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import UPlot from "uplot";
import { usePreference } from "../data/preferences.ts";
import { useAddress } from "../frame/address.ts";
import { say, type Unit } from "../logic/numbers.ts";
import { rangeParameters } from "../logic/scope.ts";
import { alignLines, extremes, type Line } from "../logic/series.ts";
import { toCsv } from "../logic/table.ts";
import { clockTime, dayName, fullTime } from "../logic/times.ts";
import { Go } from "../parts/Go.tsx";

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
}

/** One cursor across all charts of the page. */
const cursorKey = "page";
const seriesColors = 8;
/** Lines listed below the chart; a chart of more is read in the table. */
const legendMax = 12;
const pivotMs = 150_000;

function cssColor(name: string): string {
  // Canvas does not resolve light-dark(): a probe element does.
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function lineColor(at: number): string {
  return `--series-${(at % seriesColors) + 1}`;
}

function drawMarks(plot: UPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  for (const { at, kind } of marks) {
    const x = plot.valToPos(at / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = cssColor(kind === "incident" ? "--failing" : "--text-3");
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

function download(name: string, url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
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

export function TimeChart({
  title,
  lines,
  unit,
  start,
  end,
  marks = [],
  height = 200,
}: TimeChartProps): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const plotted = useRef<UPlot | null>(null);
  const { patch } = useAddress();
  const [scheme] = usePreference("scheme", "auto");
  const dark = useMediaQuery("(prefers-color-scheme: dark)");
  const theme = `${scheme} ${dark}`;
  const [pointed, setPointed] = useState<number | null>(null);
  const [picked, setPicked] = useState<number | null>(null);
  const aligned = useMemo(() => alignLines(lines), [lines]);
  const labels = lines.map(({ label }) => label).join("\n");
  const latest = useRef({ aligned, marks, start, end, patch });
  useEffect(() => {
    latest.current = { aligned, marks, start, end, patch };
    const plot = plotted.current;
    if (!plot) return;
    plot.setData([aligned.times, ...aligned.values], false);
    plot.setScale("x", { min: start / 1000, max: end / 1000 });
  }, [aligned, marks, start, end, patch]);

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    // Canvas keeps the colours it was drawn with: another theme means another drawing.
    element.dataset["theme"] = theme;
    const axis = { stroke: cssColor("--text-2"), grid: { stroke: cssColor("--line"), width: 1 } };
    const font = "12px system-ui, sans-serif";
    const names = labels.split("\n");
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
        series: [
          {},
          ...names.map((label, at) => ({
            label,
            stroke: cssColor(lineColor(at)),
            width: 1.6,
            spanGaps: false,
            points: { show: false },
          })),
        ],
        hooks: {
          draw: [(self) => drawMarks(self, latest.current.marks)],
          setCursor: [(self) => setPointed(self.cursor.idx ?? null)],
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
      [latest.current.aligned.times, ...latest.current.aligned.values],
      element,
    );
    plot.setScale("x", { min: latest.current.start / 1000, max: latest.current.end / 1000 });
    plotted.current = plot;
    const pick = () => {
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
  }, [labels, unit, height, theme]);

  const csv = () =>
    toCsv(
      ["time", ...lines.map(({ label }) => label)],
      aligned.times.map((at, row) => [
        new Date(at * 1000).toISOString(),
        ...aligned.values.map((values) => values[row] ?? null),
      ]),
    );
  const file = title.toLowerCase().replaceAll(/\W+/g, "-");
  const pointedAt = pointed === null ? undefined : aligned.times[pointed];
  return (
    <figure className="time-chart" aria-label={title}>
      <figcaption className="row between tight">
        <h3>{title}</h3>
        <span className="row tight">
          <span className="small quiet num" style={{ minWidth: 64 }}>
            {pointedAt === undefined ? "" : clockTime(pointedAt * 1000)}
          </span>
          <button
            type="button"
            className="button bare small hide-phone"
            onClick={() =>
              download(
                `${file}.png`,
                holder.current?.querySelector("canvas")?.toDataURL("image/png") ?? "",
              )
            }
          >
            PNG
          </button>
          <button
            type="button"
            className="button bare small hide-phone"
            onClick={() =>
              download(`${file}.csv`, `data:text/csv;charset=utf-8,${encodeURIComponent(csv())}`)
            }
          >
            CSV
          </button>
        </span>
      </figcaption>
      <div ref={holder} style={{ height }} />
      {picked !== null && <Pivot at={picked} />}
      <ul className="chart-legend small">
        {lines.slice(0, legendMax).map(({ label, points }, at) => {
          const { last, max } = extremes(points);
          const value = pointed === null ? undefined : aligned.values[at]?.[pointed];
          return (
            <li key={label}>
              <i style={{ background: `var(${lineColor(at)})` }} />
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
          <li className="quiet">and {lines.length - legendMax} more lines, see the table</li>
        )}
      </ul>
    </figure>
  );
}
