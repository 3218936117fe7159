/** Lines of a query as they are asked for: what they say, their histogram, then the lines; a metric query as a chart. */
import "../../styles/logs.css";
import "../../styles/trace.css";
import type { LogPage } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { logsQuery } from "../../data/queries.ts";
import { useMarks } from "../../data/use-marks.ts";
import { useScope } from "../../frame/address.ts";
import { readLogForm } from "../../logic/log-form.ts";
import { plural } from "../../logic/numbers.ts";
import { resolveRange } from "../../logic/scope.ts";
import { labelSetName, onGrid, sharedLabels } from "../../logic/series.ts";
import { Busy } from "../../parts/Busy.tsx";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";
import { useNow } from "../../parts/use-now.ts";
import { FieldTable } from "./FieldTable.tsx";
import { Histogram } from "./Histogram.tsx";
import { LineList } from "./LineList.tsx";
import { Says } from "./Says.tsx";

const TimeChart = lazy(async () => ({
  default: (await import("../../charts/TimeChart.tsx")).TimeChart,
}));

const limit = 500;

function MetricOf({
  metric,
  query,
}: {
  readonly metric: NonNullable<LogPage["metric"]>;
  readonly query: string;
}): ReactNode {
  const { time } = useScope();
  const marks = useMarks(time);
  const { start, end } = resolveRange(time, useNow(10_000));
  const { stepMs, series } = metric;
  const lines = useMemo(() => {
    const shared = sharedLabels(series.map(({ labels }) => labels));
    const all = series.flatMap(({ points }) => points.map(([at]) => at));
    const from = Math.min(...all);
    const to = Math.max(...all);
    return series.map(({ labels, points }) => {
      const samples = points.flatMap(([at, value]): [number, number][] =>
        value === null ? [] : [[at, value]],
      );
      return { label: labelSetName(labels, shared), points: onGrid(samples, from, to, stepMs) };
    });
  }, [series, stepMs]);
  if (series.length === 0)
    return (
      <Empty title="No values in this time">
        <p>No lines match the query's selector and stages, so there is nothing to count.</p>
      </Empty>
    );
  const unit = /\b(bytes_over_time|unwrap bytes)/.test(query)
    ? "bytes"
    : /\brate\(/.test(query)
      ? "per-second"
      : "count";
  return (
    <Suspense fallback={<div className="skeleton" style={{ height: 300 }} />}>
      <TimeChart
        title="Log metric"
        lines={lines}
        unit={unit}
        start={start}
        end={end}
        marks={marks}
        height={280}
      />
    </Suspense>
  );
}

function Found({
  page,
  query,
  where,
  table,
  narrow,
}: {
  readonly page: LogPage;
  readonly query: string;
  readonly where: string;
  readonly table: boolean;
  readonly narrow: ((query: string) => void) | undefined;
}): ReactNode {
  if (page.metric) return <MetricOf metric={page.metric} query={query} />;
  return (
    <>
      {page.lines.length > 0 && <Says query={query} />}
      <Histogram histogram={page.histogram} />
      {page.lines.length === 0 ? (
        <Empty title={where === "" ? "No lines match" : `No lines from ${where} in this time`}>
          <p>
            {readLogForm(query)?.contains.length
              ? "Drop a word, or widen the time range."
              : "Widen the time range, or see whether its logs are sent here at all."}
          </p>
        </Empty>
      ) : (
        <>
          {table ? (
            <FieldTable lines={page.lines} query={query} />
          ) : (
            <LineList lines={page.lines} query={query} narrow={narrow} />
          )}
          <p className="small quiet" role="status">
            {plural(page.lines.length, "line")}
            {page.more && `, the newest ones; narrow the time or the query to see others`}
          </p>
        </>
      )}
    </>
  );
}

export function Lines({
  query,
  where,
  table = false,
  narrow,
}: {
  readonly query: string;
  readonly where: string;
  readonly table?: boolean;
  readonly narrow?: (query: string) => void;
}): ReactNode {
  const { time } = useScope();
  const asked = useQuery(logsQuery(time, query, limit));
  return (
    <>
      <Busy fetching={asked.isFetching} queryKey={logsQuery(time, query, limit).queryKey} />
      <Loaded asked={asked} skeleton={<Skeleton rows={10} height={28} label="Reading logs" />}>
        {(page) => (
          <div className="stack">
            <Warnings warnings={page.warnings} />
            <Found page={page} query={query} where={where} table={table} narrow={narrow} />
          </div>
        )}
      </Loaded>
    </>
  );
}
