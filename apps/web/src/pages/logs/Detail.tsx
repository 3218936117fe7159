/** An opened line: what it means, what it says in full, what stands around it. */
import { entityPath, type LogLine, webPaths } from "@skopos/api";
import { type ReactNode, useState } from "react";
import { streamQuery, withLabel } from "../../logic/log-form.ts";
import { fullTime, nsToMs } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Context } from "./Context.tsx";
import { Explain } from "./Explain.tsx";

function pretty(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    return JSON.stringify(JSON.parse(line), null, 2);
  } catch {
    return line; // Looks like JSON but is not: shown as it came.
  }
}

function Chips({
  line,
  query,
  narrow,
}: {
  readonly line: LogLine;
  readonly query: string;
  readonly narrow: ((query: string) => void) | undefined;
}): ReactNode {
  return (
    <div className="chips">
      {Object.entries({ ...line.labels, ...line.metadata }).map(([name, value]) => {
        const next = name in line.labels ? withLabel(query, name, value) : null;
        return (
          <span key={name} className="chip">
            {name}={value}
            {next !== null && narrow && (
              <button
                type="button"
                onClick={() => narrow(next)}
                aria-label={`Only lines with ${name} ${value}`}
                title="Only these"
              >
                +
              </button>
            )}
          </span>
        );
      })}
    </div>
  );
}

const parts = [
  ["explain", "What it means"],
  ["line", "The line"],
  ["context", "Lines around it"],
] as const;

export function Detail({
  line,
  query,
  narrow,
}: {
  readonly line: LogLine;
  readonly query: string;
  readonly narrow: ((query: string) => void) | undefined;
}): ReactNode {
  const at = nsToMs(line.timeNs);
  const [part, setPart] = useState<(typeof parts)[number][0]>("explain");
  return (
    <div className="log-detail">
      <div className="row between tight">
        <div className="segmented" role="group" aria-label="About this line">
          {parts.map(([name, title]) => (
            <button
              key={name}
              type="button"
              aria-pressed={part === name}
              onClick={() => setPart(name)}
            >
              {title}
            </button>
          ))}
        </div>
        <span className="quiet small">{fullTime(at)}</span>
      </div>
      {part === "explain" && <Explain line={line} />}
      {part === "line" && (
        <>
          <pre>{pretty(line.line)}</pre>
          <Chips line={line} query={query} narrow={narrow} />
        </>
      )}
      {part === "context" && <Context line={line} />}
      <p className="row small">
        {line.traceId !== null && <Go to={webPaths.trace(line.traceId)}>Its trace</Go>}
        {line.entity && <Go to={entityPath(line.entity)}>{line.entity.name}</Go>}
        <Go to={webPaths.logs(streamQuery(line.labels), { from: at - 30_000, to: at + 30_000 })}>
          Its stream around this moment
        </Go>
        <Go to={webPaths.mesh({}, { from: at - 60_000, to: at + 60_000 })}>The mesh then</Go>
      </p>
    </div>
  );
}
