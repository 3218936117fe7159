/** Log lines of a query: histogram by level, then the lines, each opening on what it knows. */
import "../../styles/logs.css";
import type { LogLine, LogPage } from "@skopos/api";
import { entityPath, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef, useState } from "react";
import { logsQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { bucketMs, levels, stackBars } from "../../logic/histogram.ts";
import { readLogForm, withLabel } from "../../logic/log-form.ts";
import { lineSays } from "../../logic/log-line.ts";
import { formatCount, plural } from "../../logic/numbers.ts";
import { rangeParameters } from "../../logic/scope.ts";
import { clockTime, clockTimeMs, fullTime, nsToMs } from "../../logic/times.ts";
import { Busy } from "../../parts/Busy.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";

const limit = 500;
const tailMs = 2000;

function Histogram({ page }: { readonly page: LogPage }): ReactNode {
  const { patch } = useAddress();
  const { bars, most } = stackBars(page.histogram);
  const width = bucketMs(page.histogram);
  if (bars.length === 0 || most === 0) return null;
  const step = 600 / bars.length;
  const totals = levels
    .map((level) => ({
      level,
      count: page.histogram.reduce((sum, { counts }) => sum + (counts[level] ?? 0), 0),
    }))
    .filter(({ count }) => count > 0);
  return (
    <figure>
      <svg
        className="log-bars"
        viewBox="0 0 600 72"
        preserveAspectRatio="none"
        role="img"
        aria-label={`Lines over time, at most ${formatCount(most)} per bar: ${totals
          .map(({ level, count }) => `${formatCount(count)} ${level}`)
          .join(", ")}`}
      >
        {bars.map((bar, at) => (
          <g key={bar.at}>
            {bar.parts.map(({ level, from, to }) => (
              <rect
                key={level}
                className={level}
                x={at * step + step * 0.1}
                width={step * 0.8}
                y={72 - to * 70}
                height={Math.max(0.8, (to - from) * 70)}
              />
            ))}
            {width !== null && (
              // The range picker does the same for the keyboard.
              // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
              <rect
                className="hit"
                x={at * step}
                width={step}
                y={0}
                height={72}
                onClick={() =>
                  patch(rangeParameters({ kind: "absolute", from: bar.at, to: bar.at + width }))
                }
              >
                <title>
                  {clockTime(bar.at)}: {plural(bar.total, "line")}
                </title>
              </rect>
            )}
          </g>
        ))}
      </svg>
      <figcaption className="row tight small quiet">
        {totals.map(({ level, count }) => (
          <span key={level}>
            {formatCount(count)} {level}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

const levelShape: Readonly<Record<LogLine["level"], readonly [string, string]>> = {
  error: ["failing", "◆"],
  warning: ["degraded", "▲"],
  info: ["idle", "·"],
  debug: ["idle", "·"],
  unknown: ["idle", " "],
};

function pretty(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    return JSON.stringify(JSON.parse(line), null, 2);
  } catch {
    return line; // Looks like JSON but is not: shown as it came.
  }
}

function Detail({
  line,
  query,
  narrow,
}: {
  readonly line: LogLine;
  readonly query: string;
  readonly narrow: ((query: string) => void) | undefined;
}): ReactNode {
  const at = nsToMs(line.timeNs);
  return (
    <div className="log-detail">
      <pre>{pretty(line.line)}</pre>
      <div className="chips">
        {Object.entries({ ...line.labels, ...line.metadata }).map(([name, value]) => {
          const next = name in line.labels ? withLabel(query, name, value) : null;
          return (
            <span key={name} className="chip">
              {name}={value}
              {next !== null && narrow && (
                <button
                  type="button"
                  onClick={() => narrow(next)}
                  aria-label={`Only lines with ${name} ${value}`}
                  title="Only these"
                >
                  +
                </button>
              )}
            </span>
          );
        })}
      </div>
      <p className="row">
        <span className="quiet">{fullTime(at)}</span>
        {line.traceId !== null && <Go to={webPaths.trace(line.traceId)}>Its trace</Go>}
        {line.entity && <Go to={entityPath(line.entity)}>{line.entity.name}</Go>}
        <Go to={webPaths.logs(query, { from: at - 30_000, to: at + 30_000 })}>
          Around this moment
        </Go>
        <Go to={webPaths.mesh({}, { from: at - 60_000, to: at + 60_000 })}>The mesh then</Go>
      </p>
    </div>
  );
}

function LineList({
  page,
  query,
  narrow,
}: {
  readonly page: LogPage;
  readonly query: string;
  readonly narrow: ((query: string) => void) | undefined;
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  // Two lines of one nanosecond are told apart by their place among them.
  const keys = page.lines.map((line, at) => {
    let twin = 0;
    while (page.lines[at - twin - 1]?.timeNs === line.timeNs) twin++;
    return `${line.timeNs}-${twin}`;
  });
  // Its answers are read in this component alone and never memoized.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: page.lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => 30,
    overscan: 15,
    getItemKey: (at) => keys[at] ?? at,
  });
  const toggle = (key: string) =>
    setOpen((was) => {
      const next = new Set(was);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  return (
    <div
      className="log-lines"
      ref={box}
      style={{ height: `min(66vh, ${page.lines.length * 30 + 240}px)` }}
      role="list"
      aria-label="Log lines, newest first"
    >
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const line = page.lines[item.index];
          const key = keys[item.index];
          if (!line || key === undefined) return null;
          const [state, shape] = levelShape[line.level];
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className="log-row"
              role="listitem"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <button
                type="button"
                className="log-summary"
                data-row=""
                aria-expanded={open.has(key)}
                onClick={() => toggle(key)}
              >
                <span className="quiet num">{clockTimeMs(nsToMs(line.timeNs))}</span>
                <span className={`state ${state}`}>
                  <span aria-hidden="true">{shape}</span>
                  <span className="visually-hidden">{line.level}</span>
                </span>
                <span className="from">{line.entity?.name ?? line.labels["app"] ?? ""}</span>
                <span className="line-text">{lineSays(line.line)}</span>
              </button>
              {open.has(key) && <Detail line={line} query={query} narrow={narrow} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function Lines({
  query,
  where,
  tail = false,
  narrow,
}: {
  readonly query: string;
  readonly where: string;
  readonly tail?: boolean;
  readonly narrow?: (query: string) => void;
}): ReactNode {
  const { time } = useScope();
  const asked = useQuery({
    ...logsQuery(time, query, limit),
    refetchInterval: tail && time.kind === "relative" ? tailMs : false,
  });
  return (
    <>
      <Busy fetching={asked.isFetching} queryKey={logsQuery(time, query, limit).queryKey} />
      <Loaded asked={asked} skeleton={<Skeleton rows={10} height={28} label="Reading logs" />}>
        {(page) => (
          <div className="stack">
            <Warnings warnings={page.warnings} />
            <Histogram page={page} />
            {page.lines.length === 0 ? (
              <Empty
                title={where === "" ? "No lines match" : `No lines from ${where} in this time`}
              >
                <p>
                  {readLogForm(query)?.contains.length
                    ? "Drop a word, or widen the time range."
                    : "Widen the time range, or see whether its logs are sent here at all."}
                </p>
              </Empty>
            ) : (
              <>
                <LineList page={page} query={query} narrow={narrow} />
                <p className="small quiet" role="status">
                  {plural(page.lines.length, "line")}
                  {page.more && `, the newest ones; narrow the time or the query to see others`}
                </p>
              </>
            )}
          </div>
        )}
      </Loaded>
    </>
  );
}
