import "../../styles/lists.css";
import "../../styles/trace.css";
import type { TraceComparisonJson } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { traceComparisonQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { formatMs, formatRatio } from "../../logic/numbers.ts";
import { Busy } from "../../parts/Busy.tsx";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";
import { OperationName } from "./OperationName.tsx";
import { Places } from "./Places.tsx";

type AttributeRow = TraceComparisonJson["attributes"][number];
type OperationRow = TraceComparisonJson["operations"][number];

const slowest = "{ traceDuration > 500ms }";
const failing = "{ status = error }";

function Shares({ row }: { readonly row: AttributeRow }): ReactNode {
  return (
    <span
      className="shares"
      role="img"
      aria-label={`${formatRatio(row.selectedShare)} of the selected, ${formatRatio(row.restShare)} of the rest`}
    >
      <i className="selected" style={{ width: `${row.selectedShare * 100}%` }} />
      <i style={{ width: `${row.restShare * 100}%` }} />
    </span>
  );
}

const attributeColumns: Column<AttributeRow>[] = [
  {
    key: "key",
    title: "Property",
    cell: ({ scope, key }) => (scope === "intrinsic" ? key : `${scope}.${key}`),
  },
  { key: "value", title: "Value", cell: ({ value }) => value },
  { key: "service", title: "On spans of", cell: ({ service }) => service, minor: true },
  {
    key: "gap",
    title: "Selected against the rest",
    cell: ({ selectedShare, restShare }) => Math.abs(selectedShare - restShare),
    show: (row) => <Shares row={row} />,
  },
  {
    key: "selected",
    title: "Selected",
    cell: ({ selectedShare }) => selectedShare,
    show: ({ selectedShare }) => formatRatio(selectedShare),
    numeric: true,
  },
  {
    key: "rest",
    title: "Rest",
    cell: ({ restShare }) => restShare,
    show: ({ restShare }) => formatRatio(restShare),
    numeric: true,
  },
];

const ms = (value: number | null) => (value === null ? "–" : formatMs(value));

const operationColumns: Column<OperationRow>[] = [
  {
    key: "name",
    title: "Operation",
    cell: ({ service, name }) => `${service} ${name}`,
    show: (row) => <OperationName {...row} />,
  },
  { key: "kind", title: "Kind", cell: ({ kind }) => kind, minor: true },
  {
    key: "selected",
    title: "Itself, selected",
    cell: ({ selectedMs }) => selectedMs ?? -1,
    show: ({ selectedMs }) => ms(selectedMs),
    numeric: true,
  },
  {
    key: "rest",
    title: "Itself, rest",
    cell: ({ restMs }) => restMs ?? -1,
    show: ({ restMs }) => ms(restMs),
    numeric: true,
    minor: true,
  },
  {
    key: "difference",
    title: "Difference",
    cell: (row) => (row.selectedMs ?? 0) * row.selectedShare - (row.restMs ?? 0) * row.restShare,
    show: (row) =>
      formatMs((row.selectedMs ?? 0) * row.selectedShare - (row.restMs ?? 0) * row.restShare),
    numeric: true,
  },
  {
    key: "errors",
    title: "Fails in",
    cell: ({ selectedErrorShare }) => selectedErrorShare,
    show: ({ selectedErrorShare, restErrorShare }) =>
      `${formatRatio(selectedErrorShare)} / ${formatRatio(restErrorShare)}`,
    numeric: true,
    minor: true,
  },
];

function Form({ query, baseline }: { readonly query: string; readonly baseline: string }) {
  const { patch } = useAddress();
  const [selected, setSelected] = useState(query);
  const [rest, setRest] = useState(baseline);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    patch({ q: selected.trim(), base: rest.trim() || null });
  };
  return (
    <form className="search-form" onSubmit={submit}>
      <label className="labelled grow">
        These traces
        <input
          className="field mono"
          spellCheck={false}
          placeholder={slowest}
          value={selected}
          onChange={(event) => setSelected(event.target.value)}
        />
      </label>
      <label className="labelled grow">
        Against
        <input
          className="field mono"
          spellCheck={false}
          placeholder="all others of this time"
          value={rest}
          onChange={(event) => setRest(event.target.value)}
        />
      </label>
      <button type="submit" className="button primary">
        Compare
      </button>
    </form>
  );
}

function Result({ query, baseline }: { readonly query: string; readonly baseline: string }) {
  const { time } = useScope();
  const ask = traceComparisonQuery(time, query, baseline);
  const asked = useQuery(ask);
  return (
    <>
      <Busy fetching={asked.isFetching} queryKey={ask.queryKey} />
      <Loaded asked={asked} skeleton={<Skeleton rows={8} height={34} label="Comparing traces" />}>
        {({ selected, rest, attributes, operations, warnings }) => (
          <>
            <p role="status">
              {selected} selected traces against {rest} others
            </p>
            <Warnings warnings={warnings} />
            <section className="stack tight">
              <h2>Where the time goes</h2>
              <DataTable
                label="Operations that differ"
                rows={operations}
                rowKey={({ service, name, kind }) => `${service} ${name} ${kind}`}
                columns={operationColumns}
                sort="-difference"
                parameter="ops"
              />
            </section>
            <section className="stack tight">
              <h2>What they have in common</h2>
              {attributes.length === 0 ? (
                <p className="quiet">
                  No property is more frequent in one group than in the other.
                </p>
              ) : (
                <DataTable
                  label="Properties that differ"
                  rows={attributes}
                  rowKey={({ scope, key, value }) => `${scope} ${key} ${value}`}
                  columns={attributeColumns}
                  sort="-gap"
                />
              )}
            </section>
          </>
        )}
      </Loaded>
    </>
  );
}

export function Compare(): ReactNode {
  const { search, patch } = useAddress();
  const query = search.get("q") ?? "";
  const baseline = search.get("base") ?? "";
  useTitle("Compare traces");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Compare traces</h1>
        <Places />
        <span className="grow" />
      </div>
      <Form key={`${query} ${baseline}`} query={query} baseline={baseline} />
      {query === "" ? (
        <Empty title="Say which traces to compare with the rest">
          <p>What differs is shown: attributes, services, operations, and where the time goes.</p>
          <p className="row tight">
            <button type="button" className="button" onClick={() => patch({ q: slowest })}>
              Those slower than 500 ms
            </button>
            <button type="button" className="button" onClick={() => patch({ q: failing })}>
              Those that fail
            </button>
          </p>
        </Empty>
      ) : (
        <Result query={query} baseline={baseline} />
      )}
    </div>
  );
}
