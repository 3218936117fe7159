/** Changes and incidents of the shown time, as marks for charts. */
import { webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Mark } from "../charts/TimeChart.tsx";
import type { TimeRange } from "../logic/scope.ts";
import { changesQuery, incidentsQuery } from "./queries.ts";

const marksMax = 50;

export function useMarks(time: TimeRange, service?: string): readonly Mark[] {
  const { data: changes } = useQuery(changesQuery(time, service));
  const { data: incidents } = useQuery(incidentsQuery("all"));
  return useMemo(
    () => [
      ...(changes?.changes ?? []).slice(0, marksMax).map((change): Mark => ({
        at: change.at,
        kind: "change",
        label: change.summary,
        path: webPaths.changes({ id: change.id }),
      })),
      ...(incidents?.incidents ?? []).slice(0, marksMax).map((incident): Mark => ({
        at: incident.startedAt,
        kind: "incident",
        label: incident.title,
        path: webPaths.incident(incident.id),
      })),
    ],
    [changes, incidents],
  );
}
