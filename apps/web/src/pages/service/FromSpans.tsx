/** What server spans tell of a service whose requests no sidecar counts. */
import { webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { serviceSpansQuery } from "../../data/queries.ts";
import { useScope } from "../../frame/address.ts";
import { serviceQueries } from "../../logic/service-queries.ts";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";
import { Red } from "../mesh/SidePanel.tsx";
import { RedCharts } from "./RedCharts.tsx";

export function FromSpans({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): ReactNode {
  const { time } = useScope();
  const asked = useQuery(serviceSpansQuery(namespace, name, time));
  return (
    <section className="stack wide" aria-label="From spans">
      <Loaded asked={asked} skeleton={<Skeleton rows={2} height={120} label="Counting spans" />}>
        {({ callsPerSecond, errorRatio, p50Ms, p95Ms, p99Ms, series, warnings }) =>
          callsPerSecond === null ? (
            <Empty title={`Nothing counts the requests to ${name}`}>
              <p>
                In this time neither metrics of a sidecar nor server spans tell of a request. It may
                have had none, or no sidecar and no tracing.
              </p>
              <Go to={webPaths.traceServices()}>Services that spans tell of</Go>
            </Empty>
          ) : (
            <>
              <p>
                <span className="tag plain">From spans</span> No sidecar counts its requests: these
                are the spans that arrived, a sampled share of all.{" "}
                <Go to={webPaths.traces(serviceQueries({ namespace, name }).traces)}>Its traces</Go>
              </p>
              <Warnings warnings={warnings} />
              <Red
                traffic={{
                  requestsPerSecond: callsPerSecond,
                  errorRatio,
                  p50Ms,
                  p95Ms,
                  p99Ms,
                  sentBytesPerSecond: null,
                  receivedBytesPerSecond: null,
                }}
              />
              <RedCharts serviceId={`${namespace}/${name}`} series={series} />
            </>
          )
        }
      </Loaded>
    </section>
  );
}
