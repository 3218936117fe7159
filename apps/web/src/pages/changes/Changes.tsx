import "../../styles/lists.css";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { changesQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { matchesWords } from "../../logic/offers.ts";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { ChangeView } from "./ChangeView.tsx";

export function Changes(): ReactNode {
  const { time, namespace } = useScope();
  const { search, patch } = useAddress();
  const words = (search.get("q") ?? "").trim();
  const service = search.get("service") ?? undefined;
  const id = search.get("id");
  const asked = useQuery(changesQuery(time, service));
  useTitle("Changes");
  const arrived = asked.data !== undefined;
  useEffect(() => {
    if (arrived && id !== null)
      document.getElementById(id)?.scrollIntoView({ block: "center", behavior: "instant" });
  }, [arrived, id]);
  return (
    <div className="page">
      <div className="page-head">
        <h1>Changes</h1>
        <input
          className="field"
          type="search"
          placeholder="Filter by words"
          aria-label="Filter changes by words"
          value={search.get("q") ?? ""}
          onChange={(event) => patch({ q: event.target.value }, "replace")}
        />
      </div>
      {service !== undefined && (
        <p>
          Only what touches <b>{service}</b>.{" "}
          <button type="button" className="button small" onClick={() => patch({ service: null })}>
            Show all
          </button>
        </p>
      )}
      <Loaded asked={asked} skeleton={<Skeleton rows={5} height={44} label="Loading changes" />}>
        {({ changes }) => {
          const shown = changes
            .filter(
              ({ summary, object, by }) =>
                (namespace === undefined || object.namespace === namespace) &&
                (words === "" ||
                  matchesWords(
                    `${summary} ${object.name} ${object.objectKind ?? ""} ${by ?? ""}`,
                    words,
                  )),
            )
            .toSorted((a, b) => b.at - a.at);
          if (shown.length === 0)
            return (
              <Empty title="No changes here">
                <p>
                  {changes.length === 0
                    ? "Nothing was rolled out, scaled or edited in this time range. Widen it above."
                    : "None of the changes in this time range fits the words or the namespace."}
                </p>
              </Empty>
            );
          return (
            <div className="panel flush">
              {shown.map((change) => (
                <ChangeView key={change.id} change={change} open={change.id === id} />
              ))}
            </div>
          );
        }}
      </Loaded>
    </div>
  );
}
