/** Requests, errors and durations of every service as server spans tell them: all there is of a service without a sidecar. */
import { type ReplyOf, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { traceRedQuery } from "../../data/queries.ts";
import { useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { capital } from "../../logic/names.ts";
import { plural } from "../../logic/numbers.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { Value } from "../../parts/Value.tsx";
import { Places } from "./Places.tsx";

type Row = ReplyOf<"traceRed">["services"][number];

const tracesOf = (service: string) =>
  webPaths.traces(`{ resource.service.name = ${JSON.stringify(service)} }`);

const columns: readonly Column<Row>[] = [
  {
    key: "service",
    title: "Service",
    cell: ({ service }) => service,
    show: ({ service, entity }) => (
      <Go to={entity ? webPaths.service(entity.id) : tracesOf(service)}>{service}</Go>
    ),
  },
  {
    key: "sidecar",
    title: "Measured by",
    cell: ({ hasSidecar }) => (hasSidecar ? 1 : 0),
    show: ({ hasSidecar }) =>
      hasSidecar ? (
        <span className="quiet">its sidecar too</span>
      ) : (
        <span className="tag plain">spans alone</span>
      ),
  },
  {
    key: "rate",
    title: "Spans",
    numeric: true,
    cell: ({ callsPerSecond }) => callsPerSecond,
    show: ({ callsPerSecond }) => <Value value={callsPerSecond} unit="per-second" />,
  },
  {
    key: "errors",
    title: "Errors",
    numeric: true,
    cell: ({ errorRatio }) => errorRatio,
    show: ({ errorRatio }) => <Value value={errorRatio} unit="ratio" />,
  },
  {
    key: "p50",
    title: "p50",
    numeric: true,
    minor: true,
    cell: ({ p50Ms }) => p50Ms,
    show: ({ p50Ms }) => <Value value={p50Ms} unit="ms" />,
  },
  {
    key: "p95",
    title: "p95",
    numeric: true,
    cell: ({ p95Ms }) => p95Ms,
    show: ({ p95Ms }) => <Value value={p95Ms} unit="ms" />,
  },
  {
    key: "traces",
    title: "",
    minor: true,
    cell: () => null,
    show: ({ service }) => <Go to={tracesOf(service)}>Traces</Go>,
  },
];

export function SpanServices(): ReactNode {
  const { time } = useScope();
  const asked = useQuery(traceRedQuery(time));
  useTitle("Services by their spans");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Services by their spans</h1>
        <Places />
        <span className="grow" />
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={6} height={34} label="Counting spans" />}>
        {({ services, warnings }) => {
          const alone = services.filter(({ hasSidecar }) => !hasSidecar).length;
          return services.length === 0 ? (
            <Empty title="No service answered in this time">
              <p>No server spans arrived. Widen the time range, or see what is sent here.</p>
            </Empty>
          ) : (
            <>
              <p role="status">
                {alone === 0
                  ? "Every one of them is measured by a sidecar as well, untouched by sampling."
                  : `${plural(alone, "service")} without a sidecar: what is known of them comes from spans.`}{" "}
                <span className="quiet">{warnings.map((warning) => `${capital(warning)}. `)}</span>
              </p>
              <DataTable
                label="Services by their spans"
                rows={services}
                rowKey={({ service }) => service}
                columns={columns}
                sort="sidecar"
              />
            </>
          );
        }}
      </Loaded>
    </div>
  );
}
