import "../../styles/lists.css";
import { webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { rulesQuery } from "../../data/prometheus.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { formatMs, formatRatio, formatSpan, plural } from "../../logic/numbers.ts";
import {
  filterRules,
  type GroupRow,
  groupRows,
  readRuleState,
  type RuleRow,
  ruleRows,
  type RuleState,
  ruleStates,
  type WireGroup,
} from "../../logic/rules.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { Ago } from "../../parts/Value.tsx";
import { AlertPlaces } from "./AlertPlaces.tsx";

const looks: Readonly<Record<RuleState, readonly [look: string, words: string]>> = {
  failing: ["failing", "◆ cannot be evaluated"],
  firing: ["failing", "◆ firing"],
  pending: ["degraded", "▲ pending"],
  quiet: ["idle", "quiet"],
  recording: ["idle", "recording"],
};

const ruleColumns: readonly Column<RuleRow>[] = [
  {
    key: "state",
    title: "State",
    cell: ({ state }) => ruleStates.indexOf(state),
    show: ({ state }) => {
      const [look, words] = looks[state];
      return <span className={`state ${look}`}>{words}</span>;
    },
  },
  {
    key: "rule",
    title: "Rule",
    cell: ({ name }) => name,
    show: ({ name, query, error, state }) => (
      <div className="stack tight">
        <span className="wrap">
          {state === "recording" ? <b>{name}</b> : <Go to={webPaths.alerts(name)}>{name}</Go>}
        </span>
        <Go
          className="mono small quiet rule-query"
          to={webPaths.metrics(query)}
          title="Open in Metrics"
        >
          {query}
        </Go>
        {error && <span className="small state failing wrap">{error}</span>}
      </div>
    ),
  },
  {
    key: "group",
    title: "Group",
    cell: ({ group }) => group,
    show: ({ group }) => <span className="nowrap">{group}</span>,
    minor: true,
  },
  {
    key: "last",
    title: "Evaluated",
    numeric: true,
    cell: ({ evaluatedAt }) => evaluatedAt,
    show: ({ evaluatedAt }) => <Ago at={evaluatedAt} />,
    minor: true,
  },
  {
    key: "took",
    title: "Took",
    numeric: true,
    cell: ({ tookMs }) => tookMs,
    show: ({ tookMs, evaluatedAt }) => (evaluatedAt === null ? "–" : formatMs(tookMs)),
  },
];

const groupColumns: readonly Column<GroupRow>[] = [
  {
    key: "group",
    title: "Group",
    cell: ({ name }) => name,
    show: ({ name, file }) => <span title={file}>{name}</span>,
  },
  {
    key: "rules",
    title: "Rules",
    numeric: true,
    cell: ({ rules }) => rules,
    show: ({ rules, failing }) => (
      <>
        {rules}
        {failing > 0 && <span className="state failing"> ◆ {failing} fail</span>}
      </>
    ),
  },
  {
    key: "interval",
    title: "Every",
    numeric: true,
    cell: ({ intervalMs }) => intervalMs,
    show: ({ intervalMs }) => formatSpan(intervalMs),
    minor: true,
  },
  {
    key: "last",
    title: "Evaluated",
    numeric: true,
    cell: ({ evaluatedAt }) => evaluatedAt,
    show: ({ evaluatedAt }) => <Ago at={evaluatedAt} />,
  },
  {
    key: "took",
    title: "Took",
    numeric: true,
    cell: ({ tookMs }) => tookMs,
    show: ({ tookMs, load, evaluatedAt }) =>
      evaluatedAt === null ? (
        "–"
      ) : (
        <span title={`${formatRatio(load)} of the interval`}>{formatMs(tookMs)}</span>
      ),
  },
];

function Filters({ rows }: { readonly rows: readonly RuleRow[] }): ReactNode {
  const { search, patch } = useAddress();
  const state = readRuleState(search.get("state"));
  return (
    <div className="search-form">
      <input
        className="field grow"
        type="search"
        placeholder="Find a rule by name, query, group or error"
        aria-label="Filter rules by words"
        value={search.get("find") ?? ""}
        onChange={(event) => patch({ find: event.target.value || null }, "replace")}
      />
      <label className="labelled">
        State
        <select
          className="field"
          value={state ?? ""}
          onChange={(event) => patch({ state: event.target.value || null })}
        >
          <option value="">any</option>
          {ruleStates.map((one) => (
            <option key={one} value={one}>
              {looks[one][1]} ({rows.filter((row) => row.state === one).length})
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function Body({ groups }: { readonly groups: readonly WireGroup[] }): ReactNode {
  const { search } = useAddress();
  const rows = useMemo(() => ruleRows(groups), [groups]);
  const shown = filterRules(rows, search.get("find") ?? "", readRuleState(search.get("state")));
  const failing = rows.filter(({ state }) => state === "failing").length;
  const firing = rows.filter(({ state }) => state === "firing").length;
  if (groups.length === 0)
    return (
      <Empty title="No rules are loaded">
        <p>Point the server at rule files in Prometheus’s format.</p>
      </Empty>
    );
  return (
    <>
      <p role="status">
        {plural(rows.length, "rule")} in {plural(groups.length, "group")}:{" "}
        {failing > 0 && <b className="state failing">◆ {failing} cannot be evaluated, </b>}
        {firing > 0 ? <b className="state failing">◆ {firing} firing</b> : "none fires"}
      </p>
      <Filters rows={rows} />
      {shown.length === 0 ? (
        <Empty title="No rule fits" />
      ) : (
        <DataTable
          label="Rules"
          rows={shown}
          rowKey={({ key }) => key}
          columns={ruleColumns}
          sort="state"
        />
      )}
      <h2>Groups</h2>
      <DataTable
        label="Groups of rules"
        rows={groupRows(groups)}
        rowKey={({ key }) => key}
        columns={groupColumns}
        sort="-took"
        parameter="groups"
      />
    </>
  );
}

export function Rules(): ReactNode {
  const asked = useQuery(rulesQuery);
  useTitle("Rules");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Rules</h1>
        <AlertPlaces />
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={8} height={44} label="Loading rules" />}>
        {(groups) => <Body groups={groups} />}
      </Loaded>
    </div>
  );
}
