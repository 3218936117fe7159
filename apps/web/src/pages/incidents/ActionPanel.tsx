/** The proposed action: what it changes, how it is judged, approving it, and watching whether it helps. */
import { type Action, type Criterion, type Incident, type Session } from "@skopos/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Spark } from "../../charts/Spark.tsx";
import { client } from "../../data/client.ts";
import { actionWord, holdTime, isOver } from "../../logic/incident-words.ts";
import { formatSpan, say } from "../../logic/numbers.ts";
import { Diff } from "../../parts/Diff.tsx";
import { EntityLink } from "../../parts/EntityLink.tsx";
import { HoldButton } from "../../parts/HoldButton.tsx";
import { Notice, Refusal } from "../../parts/States.tsx";
import { useNow } from "../../parts/use-now.ts";

type Step = "planAction" | "approveAction" | "refuseAction" | "undoAction";

interface ActionProps {
  readonly incident: Incident;
  readonly action: Action;
  readonly session: Session;
}

function useStep({ incident, action }: { incident: Incident; action: Action }) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (step: Step) => {
      const params = { id: incident.id, actionId: action.id };
      const body = { confirm: action.target.name };
      return step === "approveAction" || step === "undoAction"
        ? client.call(step, { params, body })
        : client.call(step, { params });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["incident", incident.id] }),
  });
}

function CriterionView({
  criterion,
  acted,
}: {
  readonly criterion: Criterion;
  readonly acted: boolean;
}): ReactNode {
  const { holds } = criterion;
  const state = holds === null ? "unknown" : holds ? "healthy" : "failing";
  const word = holds === null ? "? not measured" : holds ? "✓ back to normal" : "◆ not yet";
  return (
    <section className="criterion" aria-label={criterion.title} data-holds={String(holds)}>
      <div className="row between">
        <h3>{criterion.title}</h3>
        <span className={`state ${state}`}>{word}</span>
      </div>
      <p>
        {acted && (
          <>
            <span className="quiet">before</span> {say(criterion.before, criterion.unit).text}{" "}
            <span className="quiet">→</span>{" "}
          </>
        )}
        <span className="quiet">now</span> <b>{say(criterion.now, criterion.unit).text}</b>{" "}
        <span className="quiet">limit {say(criterion.atMost, criterion.unit).text}</span>
      </p>
      <Spark
        points={criterion.points}
        unit={criterion.unit}
        label={criterion.title}
        atMost={criterion.atMost}
        height={48}
        bare
      />
    </section>
  );
}

function Countdown({ action }: { readonly action: Action }): ReactNode {
  const now = useNow(1000);
  const hold = holdTime(action, now);
  if (!hold) return null;
  const percent = Math.round(hold.done * 100);
  return (
    <div className="countdown">
      <div
        className="track"
        role="progressbar"
        aria-label="Held so far"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
      >
        <i style={{ width: `${percent}%` }} />
      </div>
      <p>{hold.says}</p>
    </div>
  );
}

/** For whoever cannot hold a key or pointer: typing the name is as deliberate. */
function TypedConfirm({
  name,
  act,
  busy,
}: {
  readonly name: string;
  readonly act: () => void;
  readonly busy: boolean;
}): ReactNode {
  const [typed, setTyped] = useState("");
  return (
    <details>
      <summary className="small quiet">Cannot hold? Type the name instead</summary>
      <form
        className="row tight"
        style={{ paddingTop: 8 }}
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === name) act();
        }}
      >
        <input
          className="field mono"
          aria-label={`Type ${name} to approve`}
          placeholder={name}
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit" className="button" disabled={busy || typed !== name}>
          Approve for {name}
        </button>
      </form>
    </details>
  );
}

function Plan({ action }: { readonly action: Action }): ReactNode {
  const { plan } = action;
  if (!plan) return null;
  return (
    <>
      <Diff diff={plan.diff} label={`What changes on ${action.target.name}`} />
      <dl className="facts">
        <dt>Reaches</dt>
        <dd>{plan.blastRadius}</dd>
        <dt>Judged by</dt>
        <dd>
          {action.criteria.length === 0 && "nothing measurable"}
          <ul>
            {action.criteria.map(({ id, title }) => (
              <li key={id}>{title}</li>
            ))}
          </ul>
          held for {formatSpan(action.holdMs)}
        </dd>
        <dt>Undo</dt>
        <dd>{plan.undo}</dd>
      </dl>
      {plan.warnings.length > 0 && (
        <Notice kind="degraded">
          {plan.warnings.map((warning) => (
            <p key={warning}>{warning}</p>
          ))}
        </Notice>
      )}
    </>
  );
}

function Controls({
  action,
  session,
  step,
}: {
  readonly action: Action;
  readonly session: Session;
  readonly step: ReturnType<typeof useStep>;
}): ReactNode {
  const now = useNow(5000);
  const mayApprove = session.role === "approver" || session.role === "admin";
  const busy = step.isPending;
  const stalePlan = action.plan !== null && action.plan.expiresAt <= now;
  if (action.state === "proposed" || action.state === "expired" || stalePlan)
    return (
      <div className="row">
        <button
          type="button"
          className="button primary"
          disabled={busy || session.role === "viewer"}
          onClick={() => step.mutate("planAction")}
        >
          {busy ? "Asking the cluster…" : action.plan ? "Plan again" : "Show what it would change"}
        </button>
        <span className="small quiet">A dry run on the cluster; nothing is changed yet.</span>
      </div>
    );
  if (action.state !== "awaiting-approval" || !action.plan) return null;
  if (!mayApprove)
    return (
      <Notice>
        <p>
          Your role is {session.role}: approving takes an approver. Share this page with one; the
          plan is good for {formatSpan(action.plan.expiresAt - now)}.
        </p>
      </Notice>
    );
  return (
    <div className="stack tight">
      <div className="row">
        <HoldButton
          label={`${action.title} (${action.target.name})`}
          disabled={busy}
          onConfirm={() => step.mutate("approveAction")}
        />
        <button
          type="button"
          className="button"
          disabled={busy}
          onClick={() => step.mutate("refuseAction")}
        >
          Refuse
        </button>
        <span className="small quiet">Plan good for {formatSpan(action.plan.expiresAt - now)}</span>
      </div>
      <TypedConfirm
        name={action.target.name}
        busy={busy}
        act={() => step.mutate("approveAction")}
      />
    </div>
  );
}

function Undo({
  action,
  session,
  step,
}: {
  readonly action: Action;
  readonly session: Session;
  readonly step: ReturnType<typeof useStep>;
}): ReactNode {
  const mayApprove = session.role === "approver" || session.role === "admin";
  if ((action.state !== "succeeded" && action.state !== "verifying") || !mayApprove) return null;
  return (
    <details>
      <summary className="small">Undo this action</summary>
      <div className="stack tight" style={{ paddingTop: 8 }}>
        <p className="quiet">{action.plan?.undo ?? "Puts the object back as it was."}</p>
        <TypedConfirm
          name={action.target.name}
          busy={step.isPending}
          act={() => step.mutate("undoAction")}
        />
      </div>
    </details>
  );
}

export function ActionPanel(props: ActionProps): ReactNode {
  const { action, session } = props;
  const step = useStep(props);
  const over = isOver(action);
  const acted = action.startedAt !== null;
  return (
    <div
      className={over ? "action-panel over stack" : "action-panel stack"}
      data-testid="action"
      data-action-id={action.id}
      data-action-state={action.state}
    >
      <div className="section-head">
        <p className="cause-title">{action.title}</p>
        <span
          className={`state ${action.state === "succeeded" ? "healthy" : "busy"}`}
          role="status"
        >
          {actionWord[action.state]}
        </span>
      </div>
      <p>
        {action.why}{" "}
        <span className="quiet">
          Target: {action.target.objectKind ?? action.target.kind}{" "}
          <EntityLink entity={action.target} />
        </span>
      </p>
      {action.outcome !== null && <p className="strong">{action.outcome}</p>}
      {action.approvedBy !== null && <p className="quiet">Approved by {action.approvedBy}</p>}
      {!over && !acted && <Plan action={action} />}
      {action.state === "verifying" && <Countdown action={action} />}
      {acted && (
        <div className="criteria">
          {action.criteria.map((criterion) => (
            <CriterionView key={criterion.id} criterion={criterion} acted />
          ))}
        </div>
      )}
      {acted && action.plan && (
        <details>
          <summary>What it changed</summary>
          <div className="stack" style={{ paddingTop: 12 }}>
            <Plan action={action} />
          </div>
        </details>
      )}
      {Boolean(step.error) && <Refusal error={step.error} />}
      <Controls action={action} session={session} step={step} />
      <Undo action={action} session={session} step={step} />
    </div>
  );
}
