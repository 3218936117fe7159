import { type Change, type Hypothesis, type Incident, webPaths } from "@skopos/api";
import type { ReactNode } from "react";
import { mechanismName, mechanismSays } from "../../logic/incident-words.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import { clockTime } from "../../logic/times.ts";
import { EntityLink } from "../../parts/EntityLink.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty } from "../../parts/States.tsx";
import { Ago } from "../../parts/Value.tsx";
import { EvidenceView } from "./EvidenceView.tsx";
import { Confidence } from "./Marks.tsx";

/** This many pieces of evidence are drawn at once; the rest is folded. */
const strongest = 3;

function Culprit({ change }: { readonly change: Change }): ReactNode {
  return (
    <span data-testid="culprit-change" data-change-id={change.id}>
      <Go to={webPaths.changes({ id: change.id })}>{change.summary}</Go>{" "}
      <span className="quiet">
        (<Ago at={change.at} />
        {change.by !== null && ` by ${change.by}`})
      </span>
    </span>
  );
}

function HypothesisBody({ hypothesis }: { readonly hypothesis: Hypothesis }): ReactNode {
  const first = hypothesis.evidence.slice(0, strongest);
  const rest = hypothesis.evidence.slice(strongest);
  return (
    <>
      <p>{hypothesis.summary}</p>
      <dl className="facts">
        <dt>Where</dt>
        <dd data-testid="cause-node" data-entity-id={hypothesis.node.id}>
          <EntityLink entity={hypothesis.node} />
        </dd>
        <dt>How</dt>
        <dd
          data-testid="mechanism"
          data-mechanism={hypothesis.mechanism}
          title={mechanismSays(hypothesis.mechanism)}
        >
          {mechanismName(hypothesis.mechanism)}
          <span className="quiet">: {mechanismSays(hypothesis.mechanism)}</span>
        </dd>
        <dt>Change</dt>
        <dd>{hypothesis.change ? <Culprit change={hypothesis.change} /> : "none blamed"}</dd>
        {hypothesis.onsetAt !== null && (
          <>
            <dt>Since</dt>
            <dd>
              {clockTime(hypothesis.onsetAt)}, <Ago at={hypothesis.onsetAt} />
            </dd>
          </>
        )}
      </dl>
      <h3>Evidence</h3>
      {first.length === 0 && <p className="quiet">None recorded.</p>}
      <ul className="stack" aria-label="Evidence for it">
        {first.map((evidence) => (
          <EvidenceView key={evidence.id} evidence={evidence} />
        ))}
      </ul>
      {rest.length > 0 && (
        <details>
          <summary>{plural(rest.length, "more piece")} of evidence</summary>
          <ul className="stack" style={{ paddingTop: 12 }}>
            {rest.map((evidence) => (
              <EvidenceView key={evidence.id} evidence={evidence} />
            ))}
          </ul>
        </details>
      )}
      <h3>Against it</h3>
      {hypothesis.against.length === 0 ? (
        <p className="quiet">Nothing found that speaks against it.</p>
      ) : (
        <ul className="stack" aria-label="Evidence against it">
          {hypothesis.against.map((evidence) => (
            <EvidenceView key={evidence.id} evidence={evidence} />
          ))}
        </ul>
      )}
    </>
  );
}

function Others({ others }: { readonly others: readonly Hypothesis[] }): ReactNode {
  if (others.length === 0) return null;
  return (
    <details className="fold">
      <summary>Other explanations ({others.length})</summary>
      <div className="inside stack">
        {others.map((hypothesis) => (
          <details key={hypothesis.id} data-testid="other-hypothesis">
            <summary>
              {hypothesis.title} <Confidence value={hypothesis.confidence} />
            </summary>
            <div className="stack" style={{ padding: "12px 0 8px 16px" }}>
              <HypothesisBody hypothesis={hypothesis} />
            </div>
          </details>
        ))}
      </div>
    </details>
  );
}

function RuledOut({
  ruledOut,
}: {
  readonly ruledOut: Incident["diagnosis"]["ruledOut"];
}): ReactNode {
  if (ruledOut.length === 0) return null;
  return (
    <details className="fold">
      <summary>Ruled out ({ruledOut.length})</summary>
      <ul className="inside stack tight">
        {ruledOut.map(({ node, why }) => (
          <li key={`${node.id} ${why}`}>
            <EntityLink entity={node} />: {why}
          </li>
        ))}
      </ul>
    </details>
  );
}

export function CausePanel({ incident }: { readonly incident: Incident }): ReactNode {
  const { diagnosis } = incident;
  const [first, ...others] = diagnosis.hypotheses;
  return (
    <section className="stack" aria-labelledby="cause-heading" data-diagnosis={diagnosis.state}>
      <div className="section-head">
        <h2 id="cause-heading">Cause</h2>
        {diagnosis.at !== null && (
          <span className="small quiet">
            explained <Ago at={diagnosis.at} />
            {diagnosis.tookMs !== null && `, in ${formatMs(diagnosis.tookMs)}`}
          </span>
        )}
      </div>
      {diagnosis.state === "looking" && !first && (
        <Empty title="Looking for the cause">
          <p>
            The graph, the changes of the last minutes, response flags, traces and logs are being
            read. This takes seconds; the page follows by itself.
          </p>
        </Empty>
      )}
      {diagnosis.state === "unknown" && (
        <Empty title="Unknown: nothing explains it well enough to say so">
          <p>
            {others.length > 0 || first
              ? "What was considered is below, weakest claims included."
              : "No change, flag or service stands out. Look at the slowest traces and the newest log patterns around the start."}
          </p>
          <div className="row">
            <Go to={webPaths.traces("{ status = error }", around(incident))}>
              Failing traces then
            </Go>
            <Go to={webPaths.changes({}, around(incident))}>Changes then</Go>
          </div>
        </Empty>
      )}
      {first && (
        <div className="cause-panel stack" data-testid="first-hypothesis">
          <div className="section-head">
            <p className="cause-title">{first.title}</p>
            <Confidence value={first.confidence} />
          </div>
          <HypothesisBody hypothesis={first} />
        </div>
      )}
      <Others others={others} />
      <RuledOut ruledOut={diagnosis.ruledOut} />
    </section>
  );
}

function around(incident: Incident): { from: number; to: number } {
  return { from: incident.startedAt - 600_000, to: incident.startedAt + 600_000 };
}
