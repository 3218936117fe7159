import type { QueryExplanation } from "@skopos/api";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type CSSProperties, type ReactNode, useMemo } from "react";
import { client } from "../../data/client.ts";
import { steppedRange } from "../../data/use-answer.ts";
import { useScope } from "../../frame/address.ts";
import { costRows } from "../../logic/explain.ts";
import type { MetricView } from "../../logic/metric-views.ts";
import { formatCount, formatMs, formatRatio, plural } from "../../logic/numbers.ts";
import { Loaded, Skeleton } from "../../parts/States.tsx";

const indentPx = 18;

function Tree({ explanation }: { readonly explanation: QueryExplanation }): ReactNode {
  const rows = useMemo(() => costRows(explanation), [explanation]);
  const { totalMs, readMs, samplesRead } = explanation;
  return (
    <>
      <p className="small" role="status">
        <b>{formatMs(totalMs)}</b> in all: <b>{formatMs(readMs)}</b> reading{" "}
        <b title={`${samplesRead}`}>{formatCount(samplesRead)}</b> samples,{" "}
        <b>{formatMs(Math.max(0, totalMs - readMs))}</b> computing in{" "}
        {plural(rows.length, "operator")}.
      </p>
      {rows.length > 0 && (
        <div className="table-wrap">
          <table className="data cost-tree" aria-label="Cost of each operator">
            <thead>
              <tr>
                <th>Operator</th>
                <th className="right">Series</th>
                <th className="right" title="Without its inputs">
                  Own time
                </th>
                <th className="right hide-phone" title="With its inputs">
                  In all
                </th>
                <th className="hide-phone">Share</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(
                ({ depth, words, expression, series, ownMs, elapsedMs, share, reused }, i) => (
                  // Rows stand in the order of evaluation and never move.
                  // oxlint-disable-next-line react/no-array-index-key
                  <tr key={i} aria-level={depth + 1}>
                    <td style={{ paddingLeft: 12 + depth * indentPx } satisfies CSSProperties}>
                      <span className="small quiet">{words}</span>
                      <code className="mono small expression" title={expression}>
                        {expression}
                      </code>
                    </td>
                    <td className="right">{formatCount(series)}</td>
                    <td className="right">
                      {reused ? (
                        <span className="quiet" title="Evaluated once, used again here">
                          reused
                        </span>
                      ) : (
                        formatMs(ownMs)
                      )}
                    </td>
                    <td className="right hide-phone">{reused ? "–" : formatMs(elapsedMs)}</td>
                    <td className="hide-phone" style={{ width: 140 }}>
                      <span className="small num">{formatRatio(share)}</span>
                      <i className="cost-bar" style={{ width: `${share * 100}%` }} />
                    </td>
                  </tr>
                ),
              )}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

/** What the query costs: run once more for the purpose, without the cache of what was asked before. */
export function ExplainTree({
  query,
  view,
}: {
  readonly query: string;
  readonly view: MetricView;
}): ReactNode {
  const { time } = useScope();
  const asked = useQuery({
    queryKey: ["query-explain", query, JSON.stringify(time), view],
    queryFn: ({ signal }) => {
      const { startMs, endMs, stepMs } = steppedRange(time, Date.now(), view);
      const start = view === "table" ? endMs : startMs;
      return client.call("queryExplain", {
        query: { query, start, end: endMs, step: stepMs },
        signal,
      });
    },
    placeholderData: keepPreviousData,
    retry: false,
  });
  return (
    <section className="panel stack tight" aria-label="What the query costs">
      <div className="row between">
        <h3>What it costs</h3>
        <button type="button" className="button small" onClick={() => void asked.refetch()}>
          Measure again
        </button>
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={3} height={30} label="Measuring" />}>
        {(explanation) => <Tree explanation={explanation} />}
      </Loaded>
    </section>
  );
}
