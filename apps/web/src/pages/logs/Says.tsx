import type { LogExplanation } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { logExplanationQuery } from "../../data/queries.ts";
import { useScope } from "../../frame/address.ts";
import { clockTime } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Loaded, Skeleton, Warnings } from "../../parts/States.tsx";

type Statement = LogExplanation["statements"][number];

const marks: Readonly<Record<Statement["kind"], string>> = {
  error: "◆ Failure",
  slow: "▲ Slow",
  pattern: "≡ Lines",
  change: "● Change",
};

function when({ kind, at, until }: Statement): string {
  if (at === null) return "";
  if (kind === "change") return `At ${clockTime(at)}.`;
  return until === null
    ? `Since about ${clockTime(at)}.`
    : `From ${clockTime(at)} to ${clockTime(until)}.`;
}

/** What the lines say, in sentences, before any of them is read. */
export function Says({ query }: { readonly query: string }): ReactNode {
  const { time } = useScope();
  const asked = useQuery({
    ...logExplanationQuery(time, query),
    refetchInterval: time.kind === "relative" ? 15_000 : false,
  });
  return (
    <section className="panel stack tight" aria-label="What these lines say">
      <h2>What these lines say</h2>
      <Loaded asked={asked} skeleton={<Skeleton rows={2} label="Reading the lines" />}>
        {({ statements, warnings }) => (
          <>
            {statements.length === 0 && (
              <p className="quiet">
                Nothing stands out: no failures, slow calls or warnings more often than before.
              </p>
            )}
            <ul className="statements">
              {statements.map((statement) => (
                <li key={statement.text} data-statement={statement.kind}>
                  <span className={`tag ${statement.kind === "error" ? "failing" : "plain"}`}>
                    {marks[statement.kind]}
                  </span>
                  <span>
                    {statement.text} <span className="quiet">{when(statement)}</span>{" "}
                    {statement.path !== null && (
                      <Go to={statement.path}>
                        {statement.kind === "change" ? "The change" : "The service"}
                      </Go>
                    )}
                  </span>
                </li>
              ))}
            </ul>
            <Warnings warnings={warnings} />
          </>
        )}
      </Loaded>
    </section>
  );
}
