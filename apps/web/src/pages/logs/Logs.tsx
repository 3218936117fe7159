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
      {form.labels.map(([name, value]) => (
        <span key={name} className="chip">
          {name}={value}
          <button
            type="button"
            aria-label={`Drop ${name} ${value}`}
            onClick={() =>
              change({ ...form, labels: form.labels.filter(([other]) => other !== name) })
            }
          >
            ×
          </button>
        </span>
      ))}
      {form.contains.map((text) => (
        <span key={text} className="chip">
          contains {JSON.stringify(text)}
          <button
            type="button"
            aria-label={`Drop ${text}`}
            onClick={() =>
              change({ ...form, contains: form.contains.filter((other) => other !== text) })
            }
          >
            ×
          </button>
        </span>
      ))}
      {form.like.map((pattern) => (
        <span key={pattern} className="chip">
          like {pattern.replaceAll("<_>", "…")}
          <button
            type="button"
            aria-label={`Drop lines like ${pattern}`}
            onClick={() =>
              change({ ...form, like: form.like.filter((other) => other !== pattern) })
            }
          >
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
