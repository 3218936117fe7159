import "../../styles/incident.css";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { incidentsQuery } from "../../data/queries.ts";
import { useAddress } from "../../frame/address.ts";
import { useTitle } from "../../frame/use-title.ts";
import { matchesWords } from "../../logic/offers.ts";
import { Empty, Loaded, Skeleton } from "../../parts/States.tsx";
import { IncidentRow } from "./Row.tsx";

const choices = [
  ["open", "Open"],
  ["resolved", "Resolved"],
  ["all", "All"],
] as const;
type Choice = (typeof choices)[number][0];

function readChoice(text: string | null): Choice {
  return text === "resolved" || text === "open" ? text : "all";
}

export function Incidents(): ReactNode {
  const { search, patch } = useAddress();
  const state = readChoice(search.get("state"));
  const filter = search.get("q") ?? "";
  const asked = useQuery(incidentsQuery(state));
  useTitle("Incidents");
  return (
    <div className="page">
      <div className="page-head">
        <h1>Incidents</h1>
        <div className="row tight">
          <input
            className="field"
            type="search"
            placeholder="Filter by words"
            aria-label="Filter incidents by words"
            value={filter}
            onChange={(event) => patch({ q: event.target.value }, "replace")}
          />
          <div className="segmented" role="group" aria-label="Which incidents">
            {choices.map(([value, name]) => (
              <button
                key={value}
                type="button"
                aria-pressed={state === value}
                onClick={() => patch({ state: value === "all" ? null : value })}
              >
                {name}
              </button>
            ))}
          </div>
        </div>
      </div>
      <Loaded asked={asked} skeleton={<Skeleton rows={4} height={64} label="Loading incidents" />}>
        {({ incidents }) => {
          const shown = incidents.filter(
            ({ title, cause, services }) =>
              filter.trim() === "" ||
              matchesWords(
                `${title} ${cause?.node.name ?? ""} ${services.map(({ name }) => name).join(" ")}`,
                filter.trim(),
              ),
          );
          const order = shown.toSorted(
            (a, b) =>
              Number(a.state === "resolved") - Number(b.state === "resolved") ||
              b.startedAt - a.startedAt,
          );
          if (order.length === 0)
            return (
              <Empty
                title={
                  filter
                    ? "No incident matches"
                    : state === "open"
                      ? "Nothing is open"
                      : "No incidents yet"
                }
              >
                <p>
                  {filter
                    ? "Try fewer words, or show all states."
                    : "When alerts fire that belong together, they appear here as one incident with its cause. On a practice mesh you can break something under Practice."}
                </p>
              </Empty>
            );
          return (
            <div className="panel flush" role="list" aria-label="Incidents">
              {order.map((incident) => (
                <div role="listitem" key={incident.id}>
                  <IncidentRow incident={incident} />
                </div>
              ))}
            </div>
          );
        }}
      </Loaded>
    </div>
  );
}
