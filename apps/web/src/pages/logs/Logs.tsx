/** Logs: a query, and its lines as a list, a table, patterns, or live. */
import "../../styles/logs.css";
import { type FormEvent, type ReactNode, useState } from "react";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { defaultLogQuery, type LogForm, readLogForm, writeLogForm } from "../../logic/log-form.ts";
import { Lines } from "./Lines.tsx";
import { Patterns } from "./Patterns.tsx";
import { Tail } from "./Tail.tsx";

const views = [
  ["", "Lines"],
  ["table", "Table"],
  ["patterns", "Patterns"],
] as const;

/** What each condition says, and the form without it. */
function chipsOf(form: LogForm): { readonly says: string; readonly drop: LogForm }[] {
  const without = <Item,>(items: readonly Item[], item: Item) =>
    items.filter((other) => other !== item);
  return [
    ...form.labels.map((pair) => ({
      says: `${pair[0]}=${pair[1]}`,
      drop: { ...form, labels: without(form.labels, pair) },
    })),
    ...form.contains.map((text) => ({
      says: `contains ${JSON.stringify(text)}`,
      drop: { ...form, contains: without(form.contains, text) },
    })),
    ...form.like.map((like) => ({
      says: `like ${like.pattern.replaceAll("<_>", "…")}`,
      drop: { ...form, like: without(form.like, like) },
    })),
    ...form.matches.map((pattern) => ({
      says: `matches ${pattern}`,
      drop: { ...form, matches: without(form.matches, pattern) },
    })),
    ...form.fields.map((pair) => ({
      says: pair[1] === "" ? `no ${pair[0]}` : `${pair[0]}=${pair[1]}`,
      drop: { ...form, fields: without(form.fields, pair) },
    })),
  ];
}

function Chips({
  form,
  change,
}: {
  readonly form: LogForm;
  readonly change: (form: LogForm) => void;
}): ReactNode {
  const [word, setWord] = useState("");
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (word.trim() !== "") change({ ...form, contains: [...form.contains, word] });
    setWord("");
  };
  return (
    <div className="chips" role="group" aria-label="Conditions">
      {chipsOf(form).map(({ says, drop }) => (
        <span key={says} className="chip">
          {says}
          <button type="button" aria-label={`Drop ${says}`} onClick={() => change(drop)}>
            ×
          </button>
        </span>
      ))}
      <form onSubmit={add}>
        <input
          className="field"
          aria-label="Only lines that contain"
          placeholder="contains…"
          size={16}
          value={word}
          onChange={(event) => setWord(event.target.value)}
        />
      </form>
    </div>
  );
}

export function Logs(): ReactNode {
  const { namespace } = useScope();
  const { search, patch } = useAddress();
  const query = search.get("q") ?? defaultLogQuery(namespace);
  const [draft, setDraft] = useState({ query, text: query });
  // The address changed under the box: follow it.
  if (draft.query !== query) setDraft({ query, text: query });
  const form = readLogForm(query);
  const tail = search.get("tail") === "1";
  const view = search.get("view") ?? "";
  const run = (q: string) => patch({ q });
  useTitle("Logs");
  return (
    <div className="page fill">
      <div className="page-head">
        <h1>Logs</h1>
        <div className="segmented" role="group" aria-label="View">
          {views.map(([name, title]) => (
            <button
              key={name}
              type="button"
              aria-pressed={!tail && view === name}
              onClick={() => patch({ view: name === "" ? null : name, tail: null })}
            >
              {title}
            </button>
          ))}
        </div>
        <button
          type="button"
          className="button"
          aria-pressed={tail}
          onClick={() => patch({ tail: tail ? null : "1" }, "replace")}
        >
          {tail ? "Stop following" : "Follow new lines"}
        </button>
      </div>
      <div className="stack tight">
        <form
          className="row tight"
          onSubmit={(event) => {
            event.preventDefault();
            run(draft.text.trim());
          }}
        >
          <input
            className="field mono grow"
            aria-label="LogQL"
            spellCheck={false}
            value={draft.text}
            onChange={(event) => setDraft({ query, text: event.target.value })}
          />
          <button type="submit" className="button primary">
            Search
          </button>
        </form>
        {form ? (
          <Chips form={form} change={(next) => run(writeLogForm(next))} />
        ) : (
          <p className="small quiet">
            This query says more than chips can show.{" "}
            <button type="button" className="button small" onClick={() => patch({ q: null })}>
              Start over
            </button>
          </p>
        )}
      </div>
      {tail ? (
        <Tail key={query} query={query} narrow={run} />
      ) : view === "patterns" ? (
        <Patterns query={query} />
      ) : (
        <Lines query={query} where="" table={view === "table"} narrow={run} />
      )}
    </div>
  );
}
