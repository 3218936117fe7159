import { type IncidentSummary, webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { mechanismName } from "../../logic/incident-words.ts";
import { plural } from "../../logic/numbers.ts";
import { lasted } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { useNow } from "../../parts/use-now.ts";
import { Ago } from "../../parts/Value.tsx";
import { IncidentStateMark, SeverityMark } from "./Marks.tsx";

export function IncidentRow({ incident }: { readonly incident: IncidentSummary }): ReactNode {
  const now = useNow();
  const { cause } = incident;
  const over = incident.state === "resolved";
  return (
    <Go
      to={webPaths.incident(incident.id)}
      className={over ? "incident-row resolved" : "incident-row"}
      data-row=""
      data-incident-id={incident.id}
    >
      <SeverityMark severity={incident.severity} brief />
      <span className="title">{incident.title}</span>
      <IncidentStateMark state={incident.state} />
      <span className="meta">
        <span>
          {over ? "began" : "since"} <Ago at={incident.startedAt} />
          {over && `, lasted ${lasted(incident.startedAt, incident.resolvedAt, now)}`}
        </span>
        <span>
          {cause
            ? `Cause: ${cause.node.name}, ${mechanismName(cause.mechanism).toLowerCase()}`
            : over
              ? "Cause not found"
              : "Looking for the cause"}
        </span>
        {!over && <span>{plural(incident.alertsFiring, "alert")} firing</span>}
        <span>{incident.owner === null ? "Nobody has it" : `Owner ${incident.owner}`}</span>
      </span>
    </Go>
  );
}
