import type { ServiceDetail } from "@skopos/api";
import type { ReactNode } from "react";
import { TimeChart } from "../../charts/TimeChart.tsx";
import { useMarks } from "../../data/use-marks.ts";
import { useScope } from "../../frame/address.ts";
import { resolveRange } from "../../logic/scope.ts";
import { Go } from "../../parts/Go.tsx";
import { useNow } from "../../parts/use-now.ts";
import { Ago } from "../../parts/Value.tsx";

/** Requests, errors and durations of a service over time, whoever measured them, with what happened meanwhile. */
export function RedCharts({
  serviceId,
  series,
}: {
  readonly serviceId: string;
  readonly series: ServiceDetail["series"];
}): ReactNode {
  const { time } = useScope();
  const marks = useMarks(time, serviceId);
  const now = useNow(5000);
  const { start, end } = resolveRange(time, now);
  const shared = { start, end, marks };
  const shown = marks.filter(({ at }) => at >= start && at <= end);
  return (
    <>
      <div className="charts">
        <TimeChart
          title="Requests"
          unit="per-second"
          lines={[{ label: "requests", points: series.requestsPerSecond }]}
          {...shared}
        />
        <TimeChart
          title="Errors"
          unit="ratio"
          lines={[{ label: "share that fails", points: series.errorRatio }]}
          {...shared}
        />
        <TimeChart
          title="How long they take"
          unit="ms"
          lines={[
            { label: "p50", points: series.p50Ms },
            { label: "p95", points: series.p95Ms },
            { label: "p99", points: series.p99Ms },
          ]}
          {...shared}
        />
      </div>
      {shown.length > 0 && (
        <section className="stack tight">
          <h3>Marks on the charts</h3>
          <ul className="stack tight">
            {shown.slice(0, 12).map((mark) => (
              <li key={`${mark.kind}${mark.at}${mark.label}`}>
                <span className="quiet">{mark.kind === "incident" ? "Incident" : "Change"}</span>{" "}
                <Go to={mark.path}>{mark.label}</Go>{" "}
                <span className="quiet">
                  <Ago at={mark.at} />
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
