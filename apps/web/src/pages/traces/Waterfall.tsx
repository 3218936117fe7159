import { useMediaQuery } from "@mantine/hooks";
import type { TraceOutline } from "@skopos/api";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { shortHost } from "../../logic/names.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import {
  barOf,
  depthMax,
  foldableRows,
  retryRows,
  rowsAbove,
  rulerTicks,
  visibleRows,
} from "../../logic/trace-rows.ts";

interface WaterfallProps {
  readonly trace: TraceOutline;
  readonly color: (service: number) => string;
  readonly names: readonly string[];
  /** −1 for none. */
  readonly selected: number;
  readonly select: (row: number | null) => void;
}

interface Marks {
  readonly retries: ReadonlySet<number>;
  readonly critical: ReadonlySet<number>;
}

function rowSays(trace: TraceOutline, row: number, { retries, critical }: Marks): string {
  return [
    `${trace.services[trace.service[row] ?? 0]?.name} ${trace.names[trace.name[row] ?? 0]}`,
    formatMs(trace.durationsMs[row] ?? 0),
    `itself ${formatMs(trace.exclusiveMs[row] ?? 0)}`,
    trace.status[row] === "error" ? "failed" : "",
    trace.errorOrigin === row ? "the error began here" : "",
    retries.has(row) ? "retry" : "",
    critical.has(row) ? "on the critical path" : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function SpanRow({
  trace,
  row,
  marks,
  name,
  color,
  collapsed,
  selected,
  top,
  select,
  fold,
}: {
  readonly trace: TraceOutline;
  readonly row: number;
  readonly marks: Marks;
  /** The service in short. */
  readonly name: string;
  readonly color: string;
  readonly collapsed: boolean;
  readonly selected: boolean;
  readonly top: number;
  readonly select: () => void;
  readonly fold: () => void;
}): ReactNode {
  const depth = trace.depth[row] ?? 0;
  const below = trace.below[row] ?? 0;
  const durationMs = trace.durationsMs[row] ?? 0;
  const bar = barOf(trace.offsetMs[row] ?? 0, durationMs, trace.durationMs);
  const failed = trace.status[row] === "error";
  const origin = trace.errorOrigin === row;
  const indent: CSSProperties = { paddingLeft: 6 + Math.min(depth, depthMax) * 12 };
  return (
    <div
      className="span-row"
      style={{ transform: `translateY(${top}px)` }}
      role="row"
      tabIndex={0}
      data-row=""
      data-span-id={trace.spanIds[row]}
      aria-selected={selected}
      aria-level={depth + 1}
      aria-expanded={below > 0 ? !collapsed : undefined}
      aria-label={rowSays(trace, row, marks)}
      onClick={select}
      onKeyDown={(event) => {
        if (event.key === "Enter") select();
        else if (event.key === "ArrowLeft" && !collapsed && below > 0) fold();
        else if (event.key === "ArrowRight" && collapsed) fold();
        else return;
        event.preventDefault();
      }}
    >
      <span className="span-name" style={indent} role="gridcell">
        {below > 0 ? (
          <button
            type="button"
            className="fold-mark"
            tabIndex={-1}
            aria-label={collapsed ? `Show ${below} spans below` : `Hide ${below} spans below`}
            onClick={(event) => {
              event.stopPropagation();
              fold();
            }}
          >
            {collapsed ? (
              <IconChevronRight size={14} aria-hidden="true" />
            ) : (
              <IconChevronDown size={14} aria-hidden="true" />
            )}
          </button>
        ) : (
          <span className="fold-mark" />
        )}
        <span className="swatch" style={{ background: color }} />
        <span className="what">
          <b>{name}</b>{" "}
          <span className="quiet">{shortHost(trace.names[trace.name[row] ?? 0] ?? "")}</span>
          {collapsed && <span className="quiet"> · {plural(below, "span")}</span>}
        </span>
        {failed && (
          <span className="tag failing" title={origin ? "The error began here" : "Failed"}>
            {origin ? "◆ began here" : "◆"}
          </span>
        )}
        {marks.retries.has(row) && <span className="tag plain">retry</span>}
      </span>
      <span className="span-time" role="gridcell">
        <span
          className={marks.critical.has(row) ? "bar-of critical" : "bar-of"}
          style={{
            left: `${bar.left}%`,
            width: `${bar.width}%`,
            background: failed ? "var(--failing)" : color,
          }}
        />
        <span className="took" style={{ left: `${Math.min(bar.left + bar.width, 100)}%` }}>
          {formatMs(durationMs)}
        </span>
      </span>
    </div>
  );
}

export function Waterfall({ trace, color, names, selected, select }: WaterfallProps): ReactNode {
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const [linked, setLinked] = useState(-1);
  if (linked !== selected) {
    // What is pointed at must be seen, whatever was folded.
    setLinked(selected);
    const above = rowsAbove(trace, selected).filter((row) => collapsed.has(row));
    if (above.length > 0)
      setCollapsed(new Set([...collapsed].filter((row) => !above.includes(row))));
  }
  const rows = useMemo(() => visibleRows(trace, collapsed), [trace, collapsed]);
  const marks = useMemo(
    () => ({
      retries: retryRows(trace),
      critical: new Set(trace.criticalPath.rows),
    }),
    [trace],
  );
  const box = useRef<HTMLDivElement>(null);
  const phone = useMediaQuery("(max-width: 760px)", undefined, { getInitialValueInEffect: false });
  const rowHeight = phone ? 46 : 30;
  // Its answers are read in this component alone and never memoized.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 20,
    getItemKey: (at) => rows[at] ?? at,
  });
  useEffect(() => {
    const at = selected < 0 ? -1 : rows.indexOf(selected);
    if (at > 0) virtual.scrollToIndex(at, { align: "auto" });
    // Folding must not scroll back to the selection.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [selected]);
  const fold = (row: number) =>
    setCollapsed((was) => {
      const next = new Set(was);
      if (!next.delete(row)) next.add(row);
      return next;
    });
  return (
    <div className="stack tight">
      <div className="row tight">
        <button
          type="button"
          className="button small"
          onClick={() => setCollapsed(new Set(foldableRows(trace).filter((row) => row > 0)))}
        >
          Fold all
        </button>
        <button type="button" className="button small" onClick={() => setCollapsed(new Set())}>
          Unfold all
        </button>
        {trace.errorOrigin !== null && trace.errorOrigin !== selected && (
          <button type="button" className="button small" onClick={() => select(trace.errorOrigin)}>
            Where the error began
          </button>
        )}
        <span className="small quiet">
          Underlined bars are the critical path: what decided how long it took.
        </span>
      </div>
      <div className="waterfall">
        <div className="ruler" aria-hidden="true">
          <span>Service and operation</span>
          <div className="ruler-ticks">
            {rulerTicks(trace.durationMs).map((at) => (
              <span key={at} style={{ left: `${(at / Math.max(trace.durationMs, 0.001)) * 100}%` }}>
                {formatMs(at)}
              </span>
            ))}
          </div>
        </div>
        <div
          className="rows"
          ref={box}
          role="treegrid"
          aria-label="Spans"
          aria-rowcount={rows.length}
          style={{ height: `min(68vh, ${Math.max(3, rows.length) * rowHeight + 8}px)` }}
        >
          <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="rowgroup">
            {virtual.getVirtualItems().map((item) => {
              const row = rows[item.index];
              if (row === undefined) return null;
              const service = trace.service[row] ?? 0;
              return (
                <SpanRow
                  key={item.key}
                  trace={trace}
                  row={row}
                  marks={marks}
                  name={names[service] ?? ""}
                  color={color(service)}
                  collapsed={collapsed.has(row)}
                  selected={selected === row}
                  top={item.start}
                  select={() => select(selected === row ? null : row)}
                  fold={() => fold(row)}
                />
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}
