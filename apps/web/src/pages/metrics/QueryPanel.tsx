import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import { usePreference } from "../../data/preferences.ts";
import { QueryError } from "../../data/prometheus.ts";
import { answerKey, useAnswer, useExemplars } from "../../data/use-answer.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { readMetricView, readPlaces, togglePlace, withoutPlace } from "../../logic/metric-views.ts";
import { addToHistory, offsetOf, readHistory } from "../../logic/query-history.ts";
import { Busy } from "../../parts/Busy.tsx";
import { Loaded, Notice, Skeleton } from "../../parts/States.tsx";
import { ExplainTree } from "./ExplainTree.tsx";
import { History } from "./History.tsx";
import { Result } from "./Result.tsx";

const Editor = lazy(() => import("./Editor.tsx"));

function faultOf(error: unknown, query: string) {
  if (!(error instanceof QueryError)) return null;
  const { line, column, message } = error;
  const from = line === undefined || column === undefined ? 0 : offsetOf(query, line, column);
  return { from, message };
}

function Toggle({
  on,
  name,
  disabled = false,
  title,
  flip,
}: {
  readonly on: boolean;
  readonly name: string;
  readonly disabled?: boolean;
  readonly title: string;
  readonly flip: () => void;
}): ReactNode {
  return (
    <button
      type="button"
      className="button small"
      aria-pressed={on}
      disabled={disabled}
      title={title}
      onClick={flip}
    >
      {name}
    </button>
  );
}

/** A query of the page: its editor, what it costs, and its answer. `at` is its place in the address. */
export function QueryPanel({
  query,
  at,
  only,
}: {
  readonly query: string;
  readonly at: number;
  readonly only: boolean;
}): ReactNode {
  const { time } = useScope();
  const { search, patch } = useAddress();
  const view = readMetricView(search.get("view"));
  const [draft, setDraft] = useState(query);
  const [recalled, setRecalled] = useState(false);
  const [past, setPast] = usePreference("queries", "[]");
  const asked = useAnswer(query, time, view);
  const isGraph = view === "graph" || view === "stacked";
  const exemplars = useExemplars(query, time, isGraph);
  const showsExemplars = search.get("exemplars") !== "off";
  const explained = readPlaces(search.getAll("explain"));
  const fault = useMemo(() => faultOf(asked.error, query), [asked.error, query]);
  const all = search.getAll("q");
  const replace = (next: string) => {
    const queries = all.length === 0 ? [""] : [...all];
    queries.splice(at, 1, next);
    patch({ q: queries });
  };
  const remove = () =>
    patch({ q: all.filter((_, place) => place !== at), explain: withoutPlace(explained, at) });
  const run = (text: string) => {
    const said = text.trim();
    setRecalled(false);
    setPast(JSON.stringify(addToHistory(readHistory(past), said)));
    if (said === query) void asked.refetch();
    else replace(said);
  };
  return (
    <section className="stack" aria-label={`Query ${at + 1}`}>
      <div className="stack tight">
        <div className="row tight query-line">
          <div className="grow">
            <Suspense fallback={<div className="skeleton" style={{ height: 38 }} />}>
              <Editor
                query={query}
                label={`PromQL expression ${at + 1}`}
                run={run}
                changed={setDraft}
                fault={fault}
              />
            </Suspense>
          </div>
          <button type="button" className="button primary" onClick={() => run(draft)}>
            Run
          </button>
          {!only && (
            <button type="button" className="button" onClick={remove}>
              Remove
            </button>
          )}
        </div>
        {query !== "" && (
          <div className="row tight">
            <Toggle
              name="Explain"
              title="What each part of the query costs"
              on={explained.has(at)}
              flip={() => patch({ explain: togglePlace(explained, at) }, "replace")}
            />
            <Toggle
              name="History"
              title="Queries run before"
              on={recalled}
              flip={() => setRecalled(!recalled)}
            />
            {isGraph && (
              <Toggle
                name={exemplars.length === 0 ? "Exemplars" : `Exemplars (${exemplars.length})`}
                title={
                  exemplars.length === 0
                    ? "No requests with a trace are known for these series in this time"
                    : "Single requests with their traces, as diamonds"
                }
                disabled={exemplars.length === 0}
                on={exemplars.length > 0 && showsExemplars}
                flip={() => patch({ exemplars: showsExemplars ? "off" : null }, "replace")}
              />
            )}
          </div>
        )}
      </div>
      {recalled && <History choose={run} />}
      <Busy fetching={asked.isFetching} queryKey={answerKey(query, time, view)} />
      {query !== "" && explained.has(at) && <ExplainTree query={query} view={view} />}
      {query !== "" && (
        <Loaded
          asked={asked}
          skeleton={<Skeleton rows={1} height={340} label="Running the query" />}
        >
          {(answer) => (
            <div className="stack tight">
              {answer.notes.map((note) => (
                <Notice key={note}>
                  <p>{note}</p>
                </Notice>
              ))}
              <Result
                answer={answer}
                query={query}
                view={view}
                exemplars={showsExemplars ? exemplars : []}
              />
            </div>
          )}
        </Loaded>
      )}
    </section>
  );
}
