import type { LogLine } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { logMomentQuery } from "../../data/queries.ts";
import { streamQuery } from "../../logic/log-form.ts";
import { lineKeys } from "../../logic/log-line.ts";
import { nsToMs } from "../../logic/times.ts";
import { Loaded, Skeleton } from "../../parts/States.tsx";
import { LineSummary } from "./LineSummary.tsx";

const firstLines = 8;
const linesMax = 128;
/** How far a stream may pause and still be context. */
const withinMs = 30 * 60_000;

/** The lines before and after of the same stream, oldest first, as they were written. */
export function Context({ line }: { readonly line: LogLine }): ReactNode {
  const [count, setCount] = useState(firstLines);
  const stream = streamQuery(line.labels);
  const at = nsToMs(line.timeNs);
  const moment = Math.floor(at);
  // Both ask for the line's own millisecond: its place among the lines of that is found below.
  const before = useQuery(
    logMomentQuery(stream, { start: moment - withinMs, end: moment + 1 }, "backward", count + 16),
  );
  const after = useQuery(
    logMomentQuery(stream, { start: moment, end: moment + withinMs }, "forward", count + 16),
  );
  return (
    <Loaded asked={before} skeleton={<Skeleton rows={6} label="Reading the lines before" />}>
      {(earlier) => (
        <Loaded asked={after} skeleton={<Skeleton rows={6} label="Reading the lines after" />}>
          {(later) => {
            const ns = BigInt(line.timeNs);
            const older = earlier.lines
              .filter(({ timeNs }) => BigInt(timeNs) < ns)
              .slice(0, count)
              .toReversed();
            const newer = later.lines
              .filter(
                ({ timeNs, line: text }) => BigInt(timeNs) >= ns && !isOwn(timeNs, text, line),
              )
              .slice(0, count);
            const lines = [...older, line, ...newer];
            const keys = lineKeys(lines);
            return (
              <div className="stack tight">
                <ol className="log-context" aria-label="Lines around it, oldest first">
                  {lines.map((one, place) => (
                    <li
                      key={keys[place]}
                      className="log-summary"
                      aria-current={one === line ? "true" : undefined}
                    >
                      <LineSummary line={one} />
                    </li>
                  ))}
                </ol>
                <p className="row small quiet">
                  <span>
                    {older.length === 0 ? "Nothing before it in half an hour. " : ""}
                    {newer.length === 0 ? "Nothing after it yet." : ""}
                  </span>
                  {count < linesMax && (
                    <button
                      type="button"
                      className="button small"
                      onClick={() => setCount(count * 4)}
                    >
                      More lines around it
                    </button>
                  )}
                </p>
              </div>
            );
          }}
        </Loaded>
      )}
    </Loaded>
  );
}

function isOwn(timeNs: string, text: string, line: LogLine): boolean {
  return timeNs === line.timeNs && text === line.line;
}
