import "../../styles/lists.css";
import "../../styles/incident.css";
import type { AlertInstance, AlertsPage } from "@skopos/api";
import { webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useLive } from "../../data/live.tsx";
import { alertsQuery } from "../../data/queries.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { formatSpan, plural, significant } from "../../logic/numbers.ts";
import { matchesWords } from "../../logic/offers.ts";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Notice, Skeleton } from "../../parts/States.tsx";
import { Ago } from "../../parts/Value.tsx";
import { AlertPlaces } from "./AlertPlaces.tsx";

/** Values and evaluation times change without an event. */
const refreshMs = 15_000;

type Rule = AlertsPage["groups"][number]["rules"][number];

const stateLook: Readonly<Record<AlertInstance["state"], readonly [string, string]>> = {
  firing: ["failing", "◆ firing"],
  pending: ["degraded", "▲ pending"],
  resolved: ["healthy", "✓ resolved"],
};

function Instance({ alert }: { readonly alert: AlertInstance }): ReactNode {
  const [state, word] = stateLook[alert.state];
  return (
    <li className="stack tight" data-alert-state={alert.state}>
      <p className="row tight">
        <span className={`state ${state}`}>{word}</span>
        <span>{alert.annotations["summary"] ?? alert.annotations["description"] ?? ""}</span>
        <span className="quiet">
          since <Ago at={alert.firedAt ?? alert.activeAt} />
        </span>
        {alert.value !== null && (
          <span className="quiet" title={`${alert.value}`}>
            value {significant(alert.value)}
          </span>
        )}
      </p>
      <p className="row tight">
        {Object.entries(alert.labels).map(([name, value]) => (
          <span key={name} className="label-chip">
            {name}={value}
          </span>
        ))}
      </p>
    </li>
  );
}

function worst(rule: Rule): AlertInstance["state"] | null {
  if (rule.alerts.some(({ state }) => state === "firing")) return "firing";
  return rule.alerts.some(({ state }) => state === "pending") ? "pending" : null;
}

function RuleView({ rule, open }: { readonly rule: Rule; readonly open: boolean }): ReactNode {
  const state = worst(rule);
  const [look, word] = state === null ? ["idle", "quiet"] : stateLook[state];
  return (
    <details className="rule" open={open || state !== null} data-rule={rule.name}>
      <summary data-row="">
        <b>{rule.name}</b>
        {rule.health === "err" ? (
          <span className="state failing">◆ cannot be evaluated</span>
        ) : (
          <span className={`state ${look}`}>{rule.kind === "record" ? "recording" : word}</span>
        )}
        <span className="quiet">
          {rule.alerts.length > 0 && `${plural(rule.alerts.length, "alert")}, `}
          {rule.forMs > 0 && `must hold ${formatSpan(rule.forMs)}, `}
          evaluated <Ago at={rule.lastEvaluationAt} />
        </span>
      </summary>
      <div className="stack tight change-body">
        {rule.lastError !== null && (
          <Notice kind="failing">
            <p>{rule.lastError}</p>
          </Notice>
        )}
        <p className="query-text">{rule.query}</p>
        <p>
          <Go to={webPaths.metrics(rule.query)}>Open in Metrics</Go>
        </p>
        <ul className="stack">
          {rule.alerts.map((alert) => (
            <Instance key={alert.fingerprint} alert={alert} />
          ))}
        </ul>
      </div>
    </details>
  );
}

export function Alerts(): ReactNode {
  const { search, patch } = useAddress();
  const { live } = useLive();
  const asked = useQuery({
    ...alertsQuery,
    refetchInterval: live.state === "paused" ? false : refreshMs,
  });
  const words = (search.get("q") ?? "").trim();
  const rule = search.get("rule");
  const active = search.get("only") === "active";
  useTitle("Alerts");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Alerts</h1>
        <AlertPlaces />
        <div className="row tight">
          <input
            className="field"
            type="search"
            placeholder="Filter by words"
            aria-label="Filter rules by words"
            value={search.get("q") ?? ""}
            onChange={(event) => patch({ q: event.target.value }, "replace")}
          />
          <button
            type="button"
            className="button"
            aria-pressed={active}
            onClick={() => patch({ only: active ? null : "active" })}
          >
            Only active
          </button>
        </div>
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={5} height={44} label="Loading rules" />}>
        {({ groups }) => {
          const shown = groups
            .map((group) => ({
              ...group,
              rules: group.rules
                .filter(
                  (one) =>
                    (words === "" || matchesWords(`${one.name} ${one.query}`, words)) &&
                    (!active || worst(one) !== null || one.health === "err"),
                )
                .toSorted((a, b) => Number(worst(b) !== null) - Number(worst(a) !== null)),
            }))
            .filter(({ rules }) => rules.length > 0);
          if (shown.length === 0)
            return (
              <Empty title={groups.length === 0 ? "No rules are loaded" : "Nothing here"}>
                <p>
                  {groups.length === 0
                    ? "Point the server at rule files in Prometheus's format to be told when something is wrong."
                    : active
                      ? "No rule fires or waits. That is good news."
                      : "No rule fits these words."}
                </p>
              </Empty>
            );
          return shown.map((group) => (
            <section key={`${group.file} ${group.name}`} className="stack tight">
              <div className="section-head">
                <h2>{group.name}</h2>
                <span className="small quiet">
                  {group.file}, every {formatSpan(group.intervalMs)}
                </span>
              </div>
              <div className="panel flush">
                {group.rules.map((one) => (
                  <RuleView key={one.name} rule={one} open={one.name === rule} />
                ))}
              </div>
            </section>
          ));
        }}
      </Loaded>
    </div>
  );
}
