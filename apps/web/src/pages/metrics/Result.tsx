/** An answer as a graph, stacked areas, a heat map or a table. */
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import type { QueryData } from "../../data/prometheus.ts";
import type { Answer } from "../../data/use-answer.ts";
import { useMarks } from "../../data/use-marks.ts";
import { useScope } from "../../frame/address.ts";
import { type Exemplar, sharesAxis } from "../../logic/exemplars.ts";
import { heatOfClassic, heatOfNative } from "../../logic/heat.ts";
import type { MetricView } from "../../logic/metric-views.ts";
import { formatCount, significant } from "../../logic/numbers.ts";
import { amountWriter, boundWriter, guessUnit } from "../../logic/query-unit.ts";
import { labelSetName, onGrid, sharedLabels } from "../../logic/series.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Empty, Notice, Skeleton } from "../../parts/States.tsx";

const TimeChart = lazy(async () => ({
  default: (await import("../../charts/TimeChart.tsx")).TimeChart,
}));
const HeatMap = lazy(async () => ({
  default: (await import("../../charts/HeatMap.tsx")).HeatMap,
}));

/** Lines drawn at most; the table has them all. */
const drawnMax = 50;
const chartHeight = 340;

interface Row {
  readonly name: string;
  readonly value: number | null;
  /** Of a native histogram, in words. */
  readonly histogram: string | null;
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
    show: ({ value, histogram }) => {
      if (histogram !== null) return histogram;
      if (value === null) return <span className="faint">–</span>;
      return <span title={`${value}`}>{significant(value, 6)}</span>;
    },
  },
];

type SeriesData = Extract<QueryData, { resultType: "vector" | "matrix" }>;

function isSeries(data: QueryData): data is SeriesData {
  return data.resultType === "vector" || data.resultType === "matrix";
}

const hasHistograms = (data: QueryData) =>
  isSeries(data) && data.result.some(({ histograms }) => histograms.length > 0);

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

function TableOf({ answer }: { readonly answer: Answer }): ReactNode {
  const { data } = answer;
  if (!isSeries(data)) return <p className="calm mono">{data.result[1]}</p>;
  if (data.result.length === 0) return <NoSeries />;
  const rows = data.result.map(({ metric, samples, histograms }): Row => {
    const value = samples.at(-1)?.[1];
    const held = histograms.at(-1);
    return {
      name: labelSetName(metric, new Set()),
      value: value === undefined ? (held?.count ?? null) : Number(value),
      histogram: held
        ? `histogram: ${formatCount(held.count)} in all, mean ${significant(held.sum / held.count)}`
        : null,
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

function linesOf({ data, startMs, endMs, stepMs }: Answer) {
  if (!isSeries(data)) return [];
  const drawn = data.result.filter(({ samples }) => samples.length > 0);
  const shared = sharedLabels(drawn.map(({ metric }) => metric));
  return drawn.slice(0, drawnMax).map(({ metric, samples }) => ({
    label: labelSetName(metric, shared),
    points: onGrid(
      samples.map(([at, value]) => [at * 1000, Number(value)] as const),
      startMs,
      endMs,
      stepMs,
    ),
  }));
}

function GraphOf({
  answer,
  query,
  stacked,
  exemplars,
}: {
  readonly answer: Answer;
  readonly query: string;
  readonly stacked: boolean;
  readonly exemplars: readonly Exemplar[];
}): ReactNode {
  const { time } = useScope();
  const marks = useMarks(time);
  const lines = useMemo(() => linesOf(answer), [answer]);
  const diamonds = useMemo(
    () => ({ exemplars, onAxis: sharesAxis(query) && !stacked }),
    [exemplars, query, stacked],
  );
  if (lines.length === 0) return <NoSeries />;
  const found = isSeries(answer.data) ? answer.data.result.length : 0;
  return (
    <>
      {found > drawnMax && (
        <Notice>
          <p>
            {found} series match; the first {drawnMax} are drawn. Aggregate with sum by (…), or take
            topk(10, …).
          </p>
        </Notice>
      )}
      <TimeChart
        title="Result over time"
        unit={guessUnit(query)}
        lines={lines}
        start={answer.startMs}
        end={answer.endMs}
        marks={marks}
        height={chartHeight}
        stacked={stacked}
        exemplars={diamonds}
      />
    </>
  );
}

function HeatOf({ answer, query }: { readonly answer: Answer; readonly query: string }): ReactNode {
  const heat = useMemo(() => {
    const { data } = answer;
    if (!isSeries(data)) return null;
    return hasHistograms(data)
      ? heatOfNative(data.result, answer)
      : heatOfClassic(data.result, answer);
  }, [answer]);
  const found = isSeries(answer.data) && answer.data.result.length > 0;
  if (!heat)
    return found ? (
      <Empty title="A heat map needs a histogram with something in it">
        <p>
          Ask for buckets by their bound, like{" "}
          <code className="mono">sum by (le) (rate(…_bucket[1m]))</code>, or for a native histogram.
        </p>
      </Empty>
    ) : (
      <NoSeries />
    );
  return (
    <HeatMap
      title="Buckets over time"
      heat={heat}
      bound={boundWriter(query)}
      amount={amountWriter(query)}
      height={chartHeight}
    />
  );
}

/** A view's own answer is awaited: that of another is of another shape. */
const shapes: Readonly<Record<MetricView, Answer["shape"]>> = {
  graph: "range",
  stacked: "range",
  heat: "columns",
  table: "instant",
};

export function Result({
  answer,
  query,
  view,
  exemplars,
}: {
  readonly answer: Answer;
  readonly query: string;
  readonly view: MetricView;
  readonly exemplars: readonly Exemplar[];
}): ReactNode {
  const waiting = <Skeleton rows={1} height={chartHeight} label="Running the query" />;
  if (answer.shape !== shapes[view]) return waiting;
  if (view === "table" || !isSeries(answer.data)) return <TableOf answer={answer} />;
  const heat = view === "heat" || hasHistograms(answer.data);
  return (
    <Suspense fallback={waiting}>
      {heat ? (
        <HeatOf answer={answer} query={query} />
      ) : (
        <GraphOf answer={answer} query={query} stacked={view === "stacked"} exemplars={exemplars} />
      )}
    </Suspense>
  );
}
