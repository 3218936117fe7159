/** Lines, newest first, each opening on what it knows; stays fast with thousands. */
import type { LogLine } from "@skopos/api";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef, useState } from "react";
import { lineKeys } from "../../logic/log-line.ts";
import { Detail } from "./Detail.tsx";
import { LineSummary } from "./LineSummary.tsx";

export function LineList({
  lines,
  query,
  narrow,
  reading,
}: {
  readonly lines: readonly LogLine[];
  readonly query: string;
  readonly narrow: ((query: string) => void) | undefined;
  /** Told when somebody is reading (scrolled down, or points at a line), and when no longer. */
  readonly reading?: (reading: boolean) => void;
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const pointed = useRef(false);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const keys = lineKeys(lines);
  // Its answers are read in this component alone and never memoized.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: lines.length,
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
  const tell = () => reading?.(pointed.current || (box.current?.scrollTop ?? 0) > 0);
  const point = (on: boolean) => () => {
    pointed.current = on;
    tell();
  };
  return (
    <div
      className="log-lines"
      ref={box}
      style={{ height: `min(66vh, ${lines.length * 30 + (open.size > 0 ? 480 : 120)}px)` }}
      role="list"
      aria-label="Log lines, newest first"
      onScroll={tell}
      onPointerEnter={point(true)}
      onPointerLeave={point(false)}
    >
      <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index];
          const key = keys[item.index];
          if (!line || key === undefined) return null;
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
                <LineSummary line={line} />
              </button>
              {open.has(key) && <Detail line={line} query={query} narrow={narrow} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}
