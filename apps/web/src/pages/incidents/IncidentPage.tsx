import "../../styles/incident.css";
import type { Incident, Session } from "@skopos/api";
import { IconCheck, IconCircleDashed, IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense } from "react";
import { Spark } from "../../charts/Spark.tsx";
import { client, sessionQuery } from "../../data/client.ts";
import { incidentQuery } from "../../data/queries.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { byUrgency, isRunning } from "../../logic/incident-words.ts";
import { plural } from "../../logic/numbers.ts";
import { rangeAround, rangeParameters } from "../../logic/scope.ts";
import { clockTime, fullTime, lasted } from "../../logic/times.ts";
import { EntityLink } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Refusal, Skeleton } from "../../parts/States.tsx";
import { useNow } from "../../parts/use-now.ts";
import { Ago, Value } from "../../parts/Value.tsx";
import { ActionPanel } from "./ActionPanel.tsx";
import { CausePanel } from "./CausePanel.tsx";
import { IncidentStateMark, SeverityMark } from "./Marks.tsx";
import { Timeline } from "./Timeline.tsx";

const Glance = lazy(async () => ({ default: (await import("../mesh/Glance.tsx")).Glance }));

/** While an action runs, its signals are asked for this often: a countdown must not lag. */
const watchMs = 2000;

function Head({
  incident,
  session,
}: {
  readonly incident: Incident;
  readonly session: Session;
}): ReactNode {
  const queries = useQueryClient();
  const now = useNow(1000);
  const { patch } = useAddress();
  const act = useMutation({
    mutationFn: (step: "acknowledge" | "resolve") =>
      client.call(step, { params: { id: incident.id } }),
    onSuccess: (next) => {
      queries.setQueryData(["incident", incident.id], next);
      void queries.invalidateQueries({ queryKey: ["incidents"] });
    },
  });
  const over = incident.state === "resolved";
  const mayAct = session.role !== "viewer";
  return (
    <header className="stack tight">
      <div className="row">
        <SeverityMark severity={incident.severity} />
        <IncidentStateMark state={incident.state} />
        <span title={fullTime(incident.startedAt)}>
          {over ? (
            <>
              began {clockTime(incident.startedAt)}, lasted{" "}
              {lasted(incident.startedAt, incident.resolvedAt, now)}
            </>
          ) : (
            <>
              since {clockTime(incident.startedAt)}, <b>{lasted(incident.startedAt, null, now)}</b>
            </>
          )}
        </span>
        <span className="quiet">
          {incident.owner === null ? "nobody has it yet" : `owner ${incident.owner}`}
        </span>
        <span className="quiet">{plural(incident.alertsFiring, "alert")} firing</span>
      </div>
      <h1 data-testid="incident-title">{incident.title}</h1>
      <div className="row tight">
        {mayAct && incident.state === "open" && (
          <button
            type="button"
            className="button"
            disabled={act.isPending}
            onClick={() => act.mutate("acknowledge")}
          >
            Acknowledge: I have it
          </button>
        )}
        {mayAct && !over && incident.alertsFiring === 0 && (
          <button
            type="button"
            className="button"
            disabled={act.isPending}
            onClick={() => act.mutate("resolve")}
          >
            Resolve
          </button>
        )}
        <button
          type="button"
          className="button bare"
          onClick={() =>
            patch(rangeParameters(rangeAround(incident.startedAt, incident.resolvedAt ?? now)))
          }
        >
          Set all pages to its time
        </button>
      </div>
      {act.error && <Refusal error={act.error} />}
    </header>
  );
}

function Impact({ incident }: { readonly incident: Incident }): ReactNode {
  const { impact, slice } = incident;
  return (
    <section className="stack" aria-labelledby="impact-heading">
      <h2 id="impact-heading">Who is hurt</h2>
      <dl className="figures">
        <div className="figure">
          <dt>Requests failed so far</dt>
          <dd>
            <Value value={impact.failedRequests} unit="count" />
          </dd>
        </div>
        <div className="figure">
          <dt>Of what users ask for, hurt</dt>
          <dd>
            <Value value={impact.userErrorRatio} unit="ratio" />
          </dd>
        </div>
        <div className="figure">
          <dt>Services</dt>
          <dd>{incident.services.length}</dd>
        </div>
      </dl>
      {impact.userErrorPoints.length > 0 && (
        <Spark
          points={impact.userErrorPoints}
          unit="ratio"
          label="Share of users' requests hurt"
          height={48}
          onsetAt={incident.startedAt}
        />
      )}
      {slice.nodes.length > 0 ? (
        <figure className="panel">
          <Suspense fallback={<Skeleton rows={1} height={180} label="Drawing the services" />}>
            <Glance
              nodes={slice.nodes}
              edges={slice.edges}
              causeId={slice.causeId}
              harm
              label="From the cause to those it hurts"
              maxHeight={520}
            />
          </Suspense>
          <figcaption className="small quiet">
            Arrows show how the harm travels, from the cause to those it hurts.
          </figcaption>
        </figure>
      ) : (
        <p className="row tight">
          {incident.services.map((service) => (
            <EntityLink key={service.id} entity={service} />
          ))}
        </p>
      )}
    </section>
  );
}

const stepIcon = {
  done: IconCheck,
  next: IconPlayerPlay,
  later: IconCircleDashed,
  skipped: IconCircleDashed,
};

function Steps({ runbook }: { readonly runbook: NonNullable<Incident["runbook"]> }): ReactNode {
  return (
    <details className="fold" open={runbook.steps.some(({ actionId }) => actionId === null)}>
      <summary>Runbook: {runbook.title}</summary>
      <ol className="steps inside">
        {runbook.steps.map((step) => {
          const Icon = stepIcon[step.state];
          return (
            <li key={step.id} className={step.state} data-step-state={step.state}>
              <Icon size={16} aria-label={step.state} />
              <span>
                {step.title}
                {step.result !== null && <span className="quiet">: {step.result}</span>}
              </span>
            </li>
          );
        })}
      </ol>
    </details>
  );
}

function Do({
  incident,
  session,
}: {
  readonly incident: Incident;
  readonly session: Session;
}): ReactNode {
  const actions = incident.actions.toSorted(byUrgency);
  return (
    <section className="stack" aria-labelledby="do-heading">
      <h2 id="do-heading">What can be done</h2>
      {actions.length === 0 && (
        <p className="quiet">
          {incident.diagnosis.state === "looking"
            ? "An action is proposed once the cause is known."
            : "No safe action is known for this cause. The runbook and the evidence say where to look."}
        </p>
      )}
      {actions.map((action) => (
        <ActionPanel key={action.id} incident={incident} action={action} session={session} />
      ))}
      {incident.runbook && <Steps runbook={incident.runbook} />}
    </section>
  );
}

function AlertList({ incident }: { readonly incident: Incident }): ReactNode {
  if (incident.alerts.length === 0) return null;
  return (
    <details className="fold">
      <summary>Alerts behind it ({incident.alerts.length})</summary>
      <ul className="inside stack tight">
        {incident.alerts.map((alert) => (
          <li key={alert.fingerprint}>
            <Go to={`/alerts?rule=${encodeURIComponent(alert.name)}`}>{alert.name}</Go>{" "}
            <span className={`state ${alert.state === "resolved" ? "healthy" : "failing"}`}>
              {alert.state}
            </span>{" "}
            <span className="quiet">
              {alert.annotations["summary"] ?? alert.annotations["description"] ?? ""} ·{" "}
              <Ago at={alert.firedAt ?? alert.activeAt} />
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Body({
  incident,
  session,
}: {
  readonly incident: Incident;
  readonly session: Session;
}): ReactNode {
  useTitle(incident.title);
  return (
    <>
      <Head incident={incident} session={session} />
      <nav className="only-phone" aria-label="On this page">
        <p className="row">
          <a href="#cause-heading">Cause</a>
          <a href="#do-heading">What can be done</a>
          <a href="#impact-heading">Who is hurt</a>
          <a href="#timeline-heading">Timeline</a>
        </p>
      </nav>
      <div className="incident-grid">
        <div className="stack wide">
          <CausePanel incident={incident} />
        </div>
        <div className="stack wide">
          <Do incident={incident} session={session} />
          <Impact incident={incident} />
          <AlertList incident={incident} />
        </div>
      </div>
      <Timeline incident={incident} mayWrite={session.role !== "viewer"} />
    </>
  );
}

export function IncidentPage(): ReactNode {
  const { id } = useParams({ strict: false });
  const { data: session } = useQuery(sessionQuery);
  const asked = useQuery({
    ...incidentQuery(id ?? ""),
    refetchInterval: ({ state }) => {
      const { data } = state;
      const busy = data?.actions.some(isRunning) || data?.diagnosis.state === "looking";
      return busy ? watchMs : false;
    },
  });
  return (
    <div className="page" data-testid="incident">
      <Loaded
        asked={asked}
        skeleton={
          <>
            <Skeleton rows={2} height={32} label="Loading the incident" />
            <Skeleton rows={3} height={120} label="Loading its cause" />
          </>
        }
      >
        {(incident) =>
          session ? <Body incident={incident} session={session} /> : <Empty title="Signed out" />
        }
      </Loaded>
    </div>
  );
}
