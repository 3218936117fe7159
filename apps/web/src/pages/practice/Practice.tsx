import "../../styles/lists.css";
import "../../styles/incident.css";
import type { BodyOf, PracticeState, Session } from "@skopos/api";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { client, sessionQuery } from "../../data/client.ts";
import { incidentsQuery, practiceQuery } from "../../data/queries.ts";
import { useTitle } from "../../frame/use-title.ts";
import { formatSpan } from "../../logic/numbers.ts";
import { Empty, Loaded, Notice, Refusal, Skeleton } from "../../parts/States.tsx";
import { useNow } from "../../parts/use-now.ts";
import { Value } from "../../parts/Value.tsx";
import { IncidentRow } from "../incidents/Row.tsx";

function usePractice() {
  const queries = useQueryClient();
  return {
    onSuccess: (state: PracticeState) => {
      queries.setQueryData(practiceQuery.queryKey, state);
    },
  };
}

function Happening({
  broken,
  scenarios,
}: {
  readonly broken: NonNullable<PracticeState["broken"]>;
  readonly scenarios: PracticeState["scenarios"];
}): ReactNode {
  const now = useNow(1000);
  const { data } = useQuery({ ...incidentsQuery("all"), refetchInterval: 3000 });
  const caused = (data?.incidents ?? []).filter(({ detectedAt }) => detectedAt >= broken.since);
  const title = scenarios.find(({ name }) => name === broken.name)?.title ?? broken.name;
  return (
    <section className="stack" aria-labelledby="happening" data-broken={broken.name}>
      <h2 id="happening">What happens now</h2>
      <p>
        <b>{title}</b> was broken {formatSpan(now - broken.since)} ago.{" "}
        {caused.length === 0
          ? "Alerts need a while to be sure; the incident appears here by itself, usually within a minute."
          : "It was noticed:"}
      </p>
      {caused.length > 0 && (
        <div className="panel flush">
          {caused.map((incident) => (
            <IncidentRow key={incident.id} incident={incident} />
          ))}
        </div>
      )}
    </section>
  );
}

function Scenarios({
  state,
  mayAct,
}: {
  readonly state: PracticeState;
  readonly mayAct: boolean;
}): ReactNode {
  const done = usePractice();
  const breakIt = useMutation({
    mutationFn: (scenario: string) => client.call("practiceBreak", { body: { scenario } }),
    ...done,
  });
  const mend = useMutation({ mutationFn: () => client.call("practiceMend"), ...done });
  const busy = breakIt.isPending || mend.isPending;
  return (
    <section className="stack">
      <div className="section-head">
        <h2>Break something</h2>
        {state.broken && (
          <button
            type="button"
            className="button primary"
            disabled={busy || !mayAct}
            data-testid="mend"
            onClick={() => mend.mutate()}
          >
            {mend.isPending ? "Mending…" : "Mend it"}
          </button>
        )}
      </div>
      {Boolean(breakIt.error ?? mend.error) && <Refusal error={breakIt.error ?? mend.error} />}
      <div className="scenarios">
        {state.scenarios.map(({ name, title, description }) => {
          const broken = state.broken?.name === name;
          return (
            <article
              key={name}
              className={broken ? "panel scenario broken" : "panel scenario"}
              data-scenario={name}
            >
              <h3>{title}</h3>
              <p className="quiet">{description}</p>
              {broken ? (
                <p className="state failing">◆ broken now</p>
              ) : (
                <div>
                  <button
                    type="button"
                    className="button"
                    disabled={busy || !mayAct || state.broken !== null}
                    aria-label={`Break: ${title}`}
                    onClick={() => breakIt.mutate(name)}
                  >
                    {breakIt.isPending && breakIt.variables === name ? "Breaking…" : "Break"}
                  </button>
                </div>
              )}
            </article>
          );
        })}
      </div>
      {state.broken && (
        <p className="small quiet">One thing at a time: mend this one to break another.</p>
      )}
    </section>
  );
}

type Shape = BodyOf<"practiceLoad">["shape"];
const shapes: readonly (readonly [Shape, string])[] = [
  ["steady", "Steady"],
  ["daily", "Like a day"],
  ["burst", "In bursts"],
];

function readShape(text: string | null): Shape {
  return shapes.find(([shape]) => shape === text)?.[0] ?? "steady";
}

function Load({
  state,
  mayAct,
}: {
  readonly state: PracticeState;
  readonly mayAct: boolean;
}): ReactNode {
  const { load } = state;
  const [rate, setRate] = useState(load === null ? "50" : `${load.requestsPerSecond}`);
  const [shape, setShape] = useState<Shape>(readShape(state.shape));
  const change = useMutation({
    mutationFn: () =>
      client.call("practiceLoad", { body: { requestsPerSecond: Number(rate), shape } }),
    ...usePractice(),
  });
  const valid = rate.trim() !== "" && Number(rate) >= 0 && Number(rate) <= 2000;
  return (
    <section className="stack">
      <h2>Load</h2>
      {load && (
        <dl className="figures">
          <div className="figure">
            <dt>Asked for</dt>
            <dd>
              <Value value={load.requestsPerSecond} unit="per-second" />
            </dd>
          </div>
          <div className="figure">
            <dt>Achieved</dt>
            <dd>
              <Value value={load.achievedPerSecond} unit="per-second" />
            </dd>
          </div>
          <div className="figure">
            <dt>Errors so far</dt>
            <dd>
              <Value value={load.errorRatio} unit="ratio" />
            </dd>
          </div>
          <div className="figure">
            <dt>p50 · p95 so far</dt>
            <dd>
              <Value value={load.p50Ms} unit="ms" /> · <Value value={load.p95Ms} unit="ms" />
            </dd>
          </div>
        </dl>
      )}
      <form
        className="search-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) change.mutate();
        }}
      >
        <label className="labelled">
          Requests per second
          <input
            className="field"
            type="number"
            min={0}
            max={2000}
            step="any"
            value={rate}
            onChange={(event) => setRate(event.target.value)}
          />
        </label>
        <label className="labelled">
          Shape
          <select
            className="field"
            value={shape}
            onChange={(event) => setShape(readShape(event.target.value))}
          >
            {shapes.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" className="button" disabled={!mayAct || !valid || change.isPending}>
          Set the load
        </button>
      </form>
      {change.error && <Refusal error={change.error} />}
    </section>
  );
}

function Body({
  state,
  session,
}: {
  readonly state: PracticeState;
  readonly session: Session;
}): ReactNode {
  const mayAct = session.role === "admin";
  if (!state.attached)
    return (
      <Empty title="No practice mesh is attached">
        <p>
          Start one with <code>skopos demo</code>; a real cluster is never broken from here.
        </p>
      </Empty>
    );
  return (
    <>
      {!mayAct && (
        <Notice>
          <p>Your role is {session.role}: breaking and mending takes an admin.</p>
        </Notice>
      )}
      {state.broken && <Happening broken={state.broken} scenarios={state.scenarios} />}
      <Scenarios state={state} mayAct={mayAct} />
      <Load state={state} mayAct={mayAct} />
    </>
  );
}

export function Practice(): ReactNode {
  const asked = useQuery(practiceQuery);
  const { data: session } = useQuery(sessionQuery);
  useTitle("Practice");
  return (
    <div className="page">
      <div className="stack tight">
        <h1>Practice</h1>
        <p className="quiet">
          Break the practice mesh, watch the incident be found and explained, put it right.
        </p>
      </div>
      <Loaded
        asked={asked}
        skeleton={<Skeleton rows={3} height={96} label="Loading the practice mesh" />}
      >
        {(state) => session && <Body state={state} session={session} />}
      </Loaded>
    </div>
  );
}
