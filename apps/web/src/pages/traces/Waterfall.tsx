import type { SpanJson, Trace } from "@skopos/api";
import { useMediaQuery } from "@mantine/hooks";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { shortHost } from "../../logic/names.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import {
  barOf,
  depthMax,
  rulerTicks,
  waterfallRows,
  type WaterfallRow,
} from "../../logic/waterfall.ts";

interface WaterfallProps {
  readonly trace: Trace;
  readonly color: (service: string) => string;
  readonly names: ReadonlyMap<string, string>;
  readonly selected: string | null;
  readonly select: (spanId: string | null) => void;
}

function spanSays(span: SpanJson, row: WaterfallRow, origin: boolean): string {
  return [
    `${span.service} ${span.name}`,
    formatMs(span.durationMs),
    `itself ${formatMs(span.exclusiveMs)}`,
    span.status === "error" ? "failed" : "",
    origin ? "the error began here" : "",
    row.retry ? "retry" : "",
    span.critical ? "on the critical path" : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function SpanRow({
  row,
  traceMs,
  name,
  color,
  origin,
  selected,
  top,
  select,
  fold,
}: {
  readonly row: WaterfallRow;
  readonly traceMs: number;
  /** The service in short. */
  readonly name: string;
  readonly color: string;
  readonly origin: boolean;
  readonly selected: boolean;
  readonly top: number;
  readonly select: () => void;
  readonly fold: () => void;
}): ReactNode {
  const { span, depth, below, collapsed } = row;
  const bar = barOf(span, traceMs);
  const failed = span.status === "error";
  const indent: CSSProperties = { paddingLeft: 6 + Math.min(depth, depthMax) * 12 };
  return (
    <div
      className="span-row"
      style={{ transform: `translateY(${top}px)` }}
      role="row"
      tabIndex={0}
      data-row=""
      data-span-id={span.spanId}
      aria-selected={selected}
      aria-level={depth + 1}
      aria-expanded={below > 0 ? !collapsed : undefined}
      aria-label={spanSays(span, row, origin)}
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
          <b>{name}</b> <span className="quiet">{shortHost(span.name)}</span>
          {collapsed && <span className="quiet"> · {plural(below, "span")}</span>}
        </span>
        {failed && (
          <span className="tag failing" title={origin ? "The error began here" : "Failed"}>
            {origin ? "◆ began here" : "◆"}
          </span>
        )}
        {row.retry && <span className="tag plain">retry</span>}
      </span>
      <span className="span-time" role="gridcell">
        <span
          className={span.critical ? "bar-of critical" : "bar-of"}
          style={{
            left: `${bar.left}%`,
            width: `${bar.width}%`,
            background: failed ? "var(--failing)" : color,
          }}
        />
        <span className="took" style={{ left: `${Math.min(bar.left + bar.width, 100)}%` }}>
          {formatMs(span.durationMs)}
        </span>
      </span>
    </div>
  );
}

export function Waterfall({ trace, color, names, selected, select }: WaterfallProps): ReactNode {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => waterfallRows(trace.spans, collapsed), [trace, collapsed]);
  const box = useRef<HTMLDivElement>(null);
  const phone = useMediaQuery("(max-width: 760px)", undefined, { getInitialValueInEffect: false });
  // Its answers are read in this component alone and never memoized.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => (phone ? 46 : 30),
    overscan: 20,
    getItemKey: (at) => rows[at]?.span.spanId ?? at,
  });
  const linked = useRef(selected);
  useEffect(() => {
    // A link to a span opens at it, once.
    const at = rows.findIndex(({ span }) => span.spanId === linked.current);
    linked.current = null;
    if (at > 0) virtual.scrollToIndex(at, { align: "center" });
  }, [rows, virtual]);
  const fold = (spanId: string) =>
    setCollapsed((was) => {
      const next = new Set(was);
      if (!next.delete(spanId)) next.add(spanId);
      return next;
    });
  const parents = trace.spans.filter(({ parentSpanId }) => parentSpanId !== "");
  return (
    <div className="stack tight">
      <div className="row tight">
        <button
          type="button"
          className="button small"
          onClick={() => setCollapsed(new Set(parents.map(({ parentSpanId }) => parentSpanId)))}
        >
          Fold all
        </button>
        <button type="button" className="button small" onClick={() => setCollapsed(new Set())}>
          Unfold all
        </button>
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
          style={{ height: `min(68vh, ${Math.max(3, rows.length) * (phone ? 46 : 30) + 8}px)` }}
        >
          <div style={{ height: virtual.getTotalSize(), position: "relative" }} role="rowgroup">
            {virtual.getVirtualItems().map((item) => {
              const row = rows[item.index];
              if (!row) return null;
              const { spanId, service } = row.span;
              return (
                <SpanRow
                  key={item.key}
                  row={row}
                  traceMs={trace.durationMs}
                  name={names.get(service) ?? service}
                  color={color(service)}
                  origin={trace.errorOrigin === spanId}
                  selected={selected === spanId}
                  top={item.start}
                  select={() => select(selected === spanId ? null : spanId)}
                  fold={() => fold(spanId)}
                />
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}
