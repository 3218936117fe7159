import "../../styles/lists.css";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import { significant, type Unit } from "../../logic/numbers.ts";
import { usePreference } from "../../data/preferences.ts";
import { instantQuery, type QueryData, QueryError, rangeQuery } from "../../data/prometheus.ts";
import { useLive } from "../../data/live.tsx";
import { useMarks } from "../../data/use-marks.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { addToHistory, offsetOf, readHistory } from "../../logic/query-history.ts";
import { resolveRange, type TimeRange } from "../../logic/scope.ts";
import { labelSetName, onGrid, sharedLabels, stepFor } from "../../logic/series.ts";
import { Busy } from "../../parts/Busy.tsx";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Empty, Loaded, Notice, Skeleton } from "../../parts/States.tsx";
import { Places } from "./Places.tsx";

const Editor = lazy(() => import("./Editor.tsx"));
const TimeChart = lazy(async () => ({
  default: (await import("../../charts/TimeChart.tsx")).TimeChart,
}));

/** Lines drawn at most; the table has them all. */
const drawnMax = 50;
const refreshMs = 10_000;

const examples: readonly (readonly [string, string])[] = [
  [
    "Requests by service",
    'sum by (destination_service_name) (rate(istio_requests_total{reporter="source"}[1m]))',
  ],
  [
    "Share that fails",
    'sum by (destination_service_name) (rate(istio_requests_total{reporter="source", response_code=~"5.."}[1m])) / sum by (destination_service_name) (rate(istio_requests_total{reporter="source"}[1m]))',
  ],
  [
    "p95 in ms",
    'histogram_quantile(0.95, sum by (le, destination_service_name) (rate(istio_request_duration_milliseconds_bucket{reporter="destination"}[1m])))',
  ],
  ["Targets that are up", "up"],
];

/** Guesses the unit from the names in the query; a wrong guess only changes how numbers are written. */
function guessUnit(query: string): Unit {
  if (/histogram_quantile.*milliseconds/s.test(query)) return "ms";
  if (/bytes/.test(query)) return /rate\(/.test(query) ? "bytes-per-second" : "bytes";
  if (/\)\s*\/\s*(sum|avg|rate)/s.test(query)) return "ratio";
  if (/rate\(/.test(query)) return "per-second";
  return "count";
}

interface Row {
  readonly name: string;
  readonly value: number | null;
}

const columns: readonly Column<Row>[] = [
  {
    key: "name",
    title: "Series",
    cell: ({ name }) => name,
    show: ({ name }) => <span className="mono">{name}</span>,
  },
  {
    key: "value",
    title: "Value",
    numeric: true,
    cell: ({ value }) => value,
    show: ({ value }) =>
      value === null ? (
        <span className="faint">–</span>
      ) : (
        <span title={`${value}`}>{significant(value, 6)}</span>
      ),
  },
];

function answerKey(query: string, time: TimeRange, table: boolean) {
  return ["promql", query, JSON.stringify(time), table];
}

function useAnswer(query: string, time: TimeRange, table: boolean) {
  const { live } = useLive();
  return useQuery({
    queryKey: answerKey(query, time, table),
    queryFn: async ({ signal }) => {
      const { start, end } = resolveRange(time, Date.now());
      if (table) return { ...(await instantQuery(query, end, signal)), start, end, stepMs: 0 };
      const stepMs = stepFor(end - start);
      // On the step, so that a refresh moves the picture instead of redrawing it differently.
      const startMs = Math.ceil(start / stepMs) * stepMs;
      const answer = await rangeQuery(query, { startMs, endMs: end, stepMs }, signal);
      return { ...answer, start: startMs, end, stepMs };
    },
    enabled: query !== "",
    refetchInterval: time.kind === "relative" && live.state !== "paused" ? refreshMs : false,
    placeholderData: keepPreviousData,
  });
}

type Answer = NonNullable<ReturnType<typeof useAnswer>["data"]>;

function isSeries(
  data: QueryData,
): data is Extract<QueryData, { resultType: "vector" | "matrix" }> {
  return data.resultType === "vector" || data.resultType === "matrix";
}

function TableOf({ answer }: { readonly answer: Answer }): ReactNode {
  const { data } = answer;
  if (!isSeries(data)) return <p className="calm mono">{data.result[1]}</p>;
  if (data.result.length === 0) return <NoSeries />;
  const rows = data.result.map(({ metric, samples }): Row => {
    const value = samples.at(-1)?.[1];
    return {
      name: labelSetName(metric, new Set()),
      value: value === undefined ? null : Number(value),
    };
  });
  return (
    <DataTable
      label="Result"
      rows={rows}
      rowKey={({ name }) => name}
      columns={columns}
      sort="-value"
    />
  );
}

function NoSeries(): ReactNode {
  return (
    <Empty title="No series match">
      <p>
        The expression is right, but nothing fits it in this time. Check label values with the
        completion (Ctrl Space), or widen the time range. Absent is not zero.
      </p>
    </Empty>
  );
}

function GraphOf({
  answer,
  query,
}: {
  readonly answer: Answer;
  readonly query: string;
}): ReactNode {
  const { time } = useScope();
  const marks = useMarks(time);
  const lines = useMemo(() => {
    if (!isSeries(answer.data) || answer.stepMs === 0) return [];
    const shared = sharedLabels(answer.data.result.map(({ metric }) => metric));
    return answer.data.result.slice(0, drawnMax).map(({ metric, samples }) => ({
      label: labelSetName(metric, shared),
      points: onGrid(
        samples.map(([at, value]) => [at * 1000, Number(value)] as const),
        answer.start,
        answer.end,
        answer.stepMs,
      ),
    }));
  }, [answer]);
  if (!isSeries(answer.data)) return <TableOf answer={answer} />;
  // Switching from the table: its answer stands in until the range arrives.
  if (answer.stepMs === 0) return <Skeleton rows={1} height={360} label="Running the query" />;
  if (lines.length === 0) return <NoSeries />;
  return (
    <>
      {answer.data.result.length > drawnMax && (
        <Notice>
          <p>
            {answer.data.result.length} series match; the first {drawnMax} are drawn. Aggregate with
            sum by (…), or take topk(10, …).
          </p>
        </Notice>
      )}
      <Suspense fallback={<Skeleton rows={1} height={360} label="Drawing" />}>
        <TimeChart
          title="Result over time"
          unit={guessUnit(query)}
          lines={lines}
          start={answer.start}
          end={answer.end}
          marks={marks}
          height={340}
        />
      </Suspense>
    </>
  );
}

function Panel({
  query,
  at,
  only,
}: {
  readonly query: string;
  readonly at: number;
  readonly only: boolean;
}): ReactNode {
  const { time } = useScope();
  const { search, patch } = useAddress();
  const table = search.get("view") === "table";
  const [draft, setDraft] = useState(query);
  const [past, setPast] = usePreference("queries", "[]");
  const asked = useAnswer(query, time, table);
  const { error } = asked;
  const fault = useMemo(
    () =>
      error instanceof QueryError
        ? {
            from:
              error.line === undefined || error.column === undefined
                ? 0
                : offsetOf(query, error.line, error.column),
            message: error.message,
          }
        : null,
    [error, query],
  );
  const all = search.getAll("q");
  const replace = (next: string | null) => {
    const queries = all.length === 0 ? [""] : [...all];
    queries.splice(at, 1, ...(next === null ? [] : [next]));
    patch({ q: queries });
  };
  const run = (text: string) => {
    const said = text.trim();
    setPast(JSON.stringify(addToHistory(readHistory(past), said)));
    if (said === query) void asked.refetch();
    else replace(said);
  };
  return (
    <section className="stack" aria-label={`Query ${at + 1}`}>
      <div className="row tight" style={{ alignItems: "flex-start" }}>
        <div className="grow">
          <Suspense fallback={<div className="skeleton" style={{ height: 38 }} />}>
            <Editor
              query={query}
              label={`PromQL expression ${at + 1}`}
              run={run}
              changed={setDraft}
              fault={fault}
            />
          </Suspense>
        </div>
        <button type="button" className="button primary" onClick={() => run(draft)}>
          Run
        </button>
        {!only && (
          <button type="button" className="button" onClick={() => replace(null)}>
            Remove
          </button>
        )}
      </div>
      <Busy fetching={asked.isFetching} queryKey={answerKey(query, time, table)} />
      {query !== "" && (
        <Loaded
          asked={asked}
          skeleton={<Skeleton rows={1} height={340} label="Running the query" />}
        >
          {(answer) => (
            <div className="stack tight">
              {answer.notes.map((note) => (
                <Notice key={note}>
                  <p>{note}</p>
                </Notice>
              ))}
              {table ? <TableOf answer={answer} /> : <GraphOf answer={answer} query={query} />}
            </div>
          )}
        </Loaded>
      )}
    </section>
  );
}

function Begin({ past }: { readonly past: readonly string[] }): ReactNode {
  const { patch } = useAddress();
  return (
    <div className="stack">
      <section className="stack tight">
        <h2>To begin with</h2>
        <ul className="stack tight">
          {examples.map(([name, query]) => (
            <li key={name}>
              <button type="button" className="link-row" onClick={() => patch({ q: query })}>
                <span>
                  {name} <span className="mono small quiet">{query}</span>
                </span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      {past.length > 0 && (
        <section className="stack tight">
          <h2>Run before</h2>
          <ul className="stack tight">
            {past.slice(0, 12).map((query) => (
              <li key={query}>
                <button type="button" className="link-row" onClick={() => patch({ q: query })}>
                  <span className="mono">{query}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

export function Metrics(): ReactNode {
  const { search, patch } = useAddress();
  const [past] = usePreference("queries", "[]");
  const queries = search.getAll("q");
  const shown = queries.length === 0 ? [""] : queries;
  const view = search.get("view") === "table" ? "table" : "graph";
  useTitle("Metrics");
  return (
    <div className="page fill">
      <div className="page-head">
        <h1>Metrics</h1>
        <Places />
        <div className="segmented" role="group" aria-label="View">
          <button
            type="button"
            aria-pressed={view === "graph"}
            onClick={() => patch({ view: null })}
          >
            Graph
          </button>
          <button
            type="button"
            aria-pressed={view === "table"}
            onClick={() => patch({ view: "table" })}
          >
            Table
          </button>
        </div>
      </div>
      {shown.map((query, at) => (
        // A query is known by its place: its text changes under it.
        // oxlint-disable-next-line react/no-array-index-key
        <Panel key={at} query={query} at={at} only={shown.length === 1} />
      ))}
      {queries.length > 0 && (
        <div>
          <button type="button" className="button" onClick={() => patch({ q: [...queries, "up"] })}>
            Add a query
          </button>
        </div>
      )}
      {queries.length === 0 && <Begin past={readHistory(past)} />}
    </div>
  );
}
