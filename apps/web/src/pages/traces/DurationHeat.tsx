import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense } from "react";
import { traceHeatQuery } from "../../data/trace-heat.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { formatCount, formatMs } from "../../logic/numbers.ts";
import { rangeParameters } from "../../logic/scope.ts";
import { heatQuery, heatTitle, narrowed } from "../../logic/trace-heat.ts";
import { Refusal, Skeleton } from "../../parts/States.tsx";

const HeatMap = lazy(async () => ({
  default: (await import("../../charts/HeatMap.tsx")).HeatMap,
}));

const height = 180;

/** All that matches, not only the traces listed. A cell narrows the search to its time and its durations. */
export function DurationHeat({ query }: { readonly query: string }): ReactNode {
  const { time } = useScope();
  const { patch } = useAddress();
  const counted = heatQuery(query);
  const { data: heat, error } = useQuery(traceHeatQuery(counted, time));
  if (counted === null)
    return (
      <p className="spark-none quiet small" style={{ minHeight: height }}>
        Durations are counted for queries of one filter, like {"{ status = error }"}.
      </p>
    );
  if (error) return <Refusal error={error} />;
  if (heat === undefined) return <Skeleton rows={1} height={height} label="Counting durations" />;
  if (heat === null)
    return (
      <p className="spark-none quiet small" style={{ minHeight: height }}>
        No spans to count in this time
      </p>
    );
  return (
    <Suspense fallback={<Skeleton rows={1} height={height} label="Drawing" />}>
      <HeatMap
        title={heatTitle(query)}
        heat={heat}
        bound={formatMs}
        amount={formatCount}
        height={height}
        choose={{
          words: "Narrow the search",
          act: ({ fromMs, toMs, lower, upper }) =>
            patch({
              q: narrowed(query, lower, upper),
              sel: null,
              ...rangeParameters({ kind: "absolute", from: fromMs, to: toMs }),
            }),
        }}
      />
    </Suspense>
  );
}
