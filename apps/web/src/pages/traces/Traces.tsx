import "../../styles/lists.css";
import "../../styles/trace.css";
import { type ReplyOf, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { tracesQuery, traceServicesQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { formatMs, plural } from "../../logic/numbers.ts";
import {
  bandQuery,
  isSelected,
  readSelection,
  type Selection,
  writeSelection,
} from "../../logic/scatter.ts";
import {
  emptyTraceForm,
  readDuration,
  readTraceForm,
  type TraceForm,
  writeTraceForm,
} from "../../logic/trace-form.ts";
import { Busy } from "../../parts/Busy.tsx";
import { Go } from "../../parts/Go.tsx";
import { Loaded, Skeleton } from "../../parts/States.tsx";
import { DurationHeat } from "./DurationHeat.tsx";
import { Places } from "./Places.tsx";
import { ScatterPlot } from "./ScatterPlot.tsx";
import { TraceRows } from "./TraceRows.tsx";

function SimpleForm({
  form,
  change,
}: {
  readonly form: TraceForm;
  readonly change: (form: TraceForm) => void;
}): ReactNode {
  const { time } = useScope();
  const { data } = useQuery(traceServicesQuery(time));
  const [least, setLeast] = useState(form.minMs === null ? "" : `${form.minMs}ms`);
  const services = new Set(data?.services);
  if (form.service) services.add(form.service);
  return (
    <>
      <label className="labelled">
        Service
        <select
          className="field"
          value={form.service}
          onChange={(event) => change({ ...form, service: event.target.value })}
        >
          <option value="">any</option>
          {[...services].toSorted().map((service) => (
            <option key={service}>{service}</option>
          ))}
        </select>
      </label>
      <label className="labelled">
        At least
        <input
          className="field"
          placeholder="like 250ms"
          size={9}
          value={least}
          aria-invalid={least !== "" && readDuration(least) === null}
          onChange={(event) => setLeast(event.target.value)}
          onBlur={() =>
            change({
              ...form,
              minMs: least.trim() === "" ? null : (readDuration(least) ?? form.minMs),
            })
          }
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
          }}
        />
      </label>
      <label className="check">
        <input
          type="checkbox"
          checked={form.errors}
          onChange={(event) => change({ ...form, errors: event.target.checked })}
        />
        Errors only
      </label>
    </>
  );
}

function Query({ query, run }: { readonly query: string; readonly run: (q: string) => void }) {
  const [text, setText] = useState(query);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    run(text.trim());
  };
  return (
    <form className="row tight grow" onSubmit={submit} style={{ alignItems: "flex-end" }}>
      <label className="labelled grow">
        TraceQL
        <input
          className="field mono"
          spellCheck={false}
          placeholder={'{ resource.service.name = "frontend" && status = error }'}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <button type="submit" className="button primary">
        Search
      </button>
    </form>
  );
}

function Found({
  found,
  query,
  where,
}: {
  readonly found: ReplyOf<"traces">;
  readonly query: string;
  readonly where: string;
}): ReactNode {
  const { search, patch } = useAddress();
  const selection = readSelection(search.get("sel"));
  const traces = found.traces.filter((trace) => isSelected(trace, selection));
  const select = (next: Selection | null) =>
    patch({ sel: next ? writeSelection(next) : null }, "replace");
  return (
    <>
      {found.traces.length > 1 && (
        <div className="trace-plots">
          <ScatterPlot traces={found.traces} selection={selection} select={select} />
          <DurationHeat query={query} />
        </div>
      )}
      {selection && (
        <p className="row tight" role="status">
          <span>
            {traces.length} of {plural(found.traces.length, "trace")} selected:{" "}
            {formatMs(selection.minMs)} to {formatMs(selection.maxMs)}
          </span>
          <Go to={webPaths.traceComparison(bandQuery(selection))}>Compare with the rest</Go>
          <button type="button" className="button small" onClick={() => select(null)}>
            Show all
          </button>
        </p>
      )}
      <TraceRows found={{ ...found, traces }} where={where} />
    </>
  );
}

export function Traces(): ReactNode {
  const { time } = useScope();
  const { search, patch } = useAddress();
  const query = search.get("q") ?? "";
  const form = readTraceForm(query);
  const asked = useQuery(tracesQuery(time, query));
  const run = (q: string) => {
    if (q === query) void asked.refetch();
    else patch({ q });
  };
  useTitle("Traces");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Traces</h1>
        <Places />
        <span className="quiet" role="status">
          {asked.data &&
            `${plural(asked.data.traces.length, "trace")}, newest first${asked.isFetching ? ", searching…" : ""}`}
        </span>
      </div>
      <div className="search-form">
        {form ? (
          <SimpleForm
            key={`form ${query}`}
            form={form}
            change={(next) => patch({ q: writeTraceForm(next) })}
          />
        ) : (
          <button
            type="button"
            className="button"
            onClick={() => patch({ q: writeTraceForm(emptyTraceForm) })}
          >
            Back to the form
          </button>
        )}
        <Query key={`query ${query}`} query={query} run={run} />
      </div>
      <Busy fetching={asked.isFetching} queryKey={tracesQuery(time, query).queryKey} />
      <Loaded asked={asked} skeleton={<Skeleton rows={8} height={38} label="Searching traces" />}>
        {(found) => <Found found={found} query={query} where={form?.service ?? ""} />}
      </Loaded>
    </div>
  );
}
