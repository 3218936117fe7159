import type { Change } from "@skopos/api";
import { webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { Diff } from "../../parts/Diff.tsx";
import { EntityLink } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { Ago } from "../../parts/Value.tsx";

const kindWord: Readonly<Record<Change["kind"], string>> = {
  rollout: "Rollout",
  scale: "Scale",
  "config-created": "Created",
  "config-updated": "Edited",
  "config-deleted": "Deleted",
  restart: "Restart",
};

/** Around a change, so that before and after are both on the picture. */
const aroundMs = 900_000;

export function ChangeView({
  change,
  open,
}: {
  readonly change: Change;
  readonly open: boolean;
}): ReactNode {
  const { serviceId, object } = change;
  const range = { from: change.at - aroundMs, to: change.at + aroundMs };
  return (
    <details className="change" open={open} id={change.id} data-change-id={change.id}>
      <summary data-row="">
        <span className="change-kind">{kindWord[change.kind]}</span>
        <span className="grow">{change.summary}</span>
        <span className="quiet">
          <Ago at={change.at} />
        </span>
      </summary>
      <div className="stack tight change-body">
        <p className="row tight quiet">
          <span>
            {object.objectKind ?? object.kind} <b>{object.name}</b>
            {object.namespace !== undefined && ` in ${object.namespace}`}
          </span>
          <span>{change.by === null ? "by whom is not known" : `by ${change.by}`}</span>
          {serviceId !== null && (
            <>
              <span>
                touches{" "}
                <EntityLink
                  entity={{
                    kind: "service",
                    id: serviceId,
                    name: serviceId.split("/").at(-1) ?? serviceId,
                  }}
                />
              </span>
              <Go to={webPaths.service(serviceId, undefined, range)}>Before and after</Go>
            </>
          )}
        </p>
        <Diff diff={change.diff} label={change.summary} />
      </div>
    </details>
  );
}
