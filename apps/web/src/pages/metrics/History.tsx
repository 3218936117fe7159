import { type ReactNode, useState } from "react";
import { usePreference } from "../../data/preferences.ts";
import { readHistory, searchHistory } from "../../logic/query-history.ts";

/** Queries run before in this browser, to search and run again. */
export function History({ choose }: { readonly choose: (query: string) => void }): ReactNode {
  const [past, setPast] = usePreference("queries", "[]");
  const [words, setWords] = useState("");
  const all = readHistory(past);
  const found = searchHistory(all, words);
  if (all.length === 0)
    return (
      <p className="small quiet">Queries you run are remembered here, in this browser only.</p>
    );
  return (
    <div className="stack tight">
      <div className="row tight">
        <input
          className="field grow"
          type="search"
          placeholder="Search what was run before"
          aria-label="Search queries run before"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <button type="button" className="button small" onClick={() => setPast("[]")}>
          Forget all
        </button>
      </div>
      {found.length === 0 && <p className="small quiet">No query has these words.</p>}
      <ul className="query-history">
        {found.map((query) => (
          <li key={query}>
            <button type="button" className="link-row" onClick={() => choose(query)}>
              <span className="mono small">{query}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
