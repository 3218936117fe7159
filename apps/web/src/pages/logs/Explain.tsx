/** An opened line in words, with what else belongs to its moment: its request, its pattern, the changes before it. */
import { entityPath, type Joins, type LogLine, type LogPatterns, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Spark } from "../../charts/Spark.tsx";
import { lineJoinsQuery, logPatternsQuery } from "../../data/queries.ts";
import { useScope } from "../../frame/address.ts";
import { streamQuery } from "../../logic/log-form.ts";
import {
  calledBy,
  isAccessLog,
  isLike,
  lineWords,
  messageOf,
  requestIdOf,
} from "../../logic/log-words.ts";
import { formatCount, formatSpan, plural } from "../../logic/numbers.ts";
import { clockTime, nsToMs } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Loaded, Skeleton } from "../../parts/States.tsx";

const listedMax = 5;

const levelSays: Readonly<Record<LogLine["level"], string>> = {
  error: "an error",
  warning: "a warning",
  info: "information",
  debug: "a note for developers",
  unknown: "not told",
};

function Words({ line }: { readonly line: LogLine }): ReactNode {
  const words = lineWords(line);
  const shown =
    words.length > 0
      ? words
      : [
          { term: "Says", text: messageOf(line) },
          { term: "Level", text: levelSays[line.level] },
          ...(line.entity
            ? [{ term: "Written by", text: line.entity.name, path: entityPath(line.entity) }]
            : []),
        ];
  return (
    <dl className="attributes">
      {shown.map(({ term, text, path }) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{path === undefined ? text : <Go to={path}>{text}</Go>}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What was made new had no traffic to harm before. */
function changesBefore(joins: Joins, at: number): Joins["changes"] {
  return joins.changes.filter((change) => change.at <= at && change.kind !== "config-created");
}

function Changes({ joins, at }: { readonly joins: Joins; readonly at: number }): ReactNode {
  const before = changesBefore(joins, at);
  if (before.length === 0)
    return (
      <p className="quiet">Nothing changed on the services of this line in the six hours before.</p>
    );
  return (
    <ul className="stack tight" aria-label="Changes before it">
      {before.slice(0, listedMax).map((change) => (
        <li key={change.id} data-statement="change">
          <span className="quiet">{formatSpan(at - change.at)} before:</span>{" "}
          <Go to={webPaths.changes({ id: change.id })}>
            {change.object.objectKind} {change.object.name}
          </Go>{" "}
          {change.summary.replace(`${change.object.objectKind} ${change.object.name}: `, "")}
        </li>
      ))}
    </ul>
  );
}

function Belongs({ joins, at }: { readonly joins: Joins; readonly at: number }): ReactNode {
  const failing = joins.spans.filter(({ status }) => status === "error").length;
  const objects = new Map(
    joins.configuration.map(({ ref, changedSince }) => [
      ref.id + ref.objectKind,
      { ref, changedSince },
    ]),
  );
  return (
    <>
      <h3>Its request</h3>
      {joins.traceId === null ? (
        <p className="quiet">
          {joins.requestId === null
            ? "The line names no request."
            : "No trace of this request is kept: it was not sampled."}
        </p>
      ) : (
        <p>
          <Go to={webPaths.trace(joins.traceId)}>Its trace</Go>:{" "}
          {plural(joins.spans.length, "span")}
          {failing > 0 && <span className="state failing"> ◆ {failing} failed</span>}
          {joins.lines.length > 1 && `, ${plural(joins.lines.length, "log line")}`}
        </p>
      )}
      <h3>Changes before it</h3>
      <Changes joins={joins} at={at} />
      {objects.size > 0 && (
        <>
          <h3>Configuration that shaped it</h3>
          <p className="row tight">
            {[...objects.values()].slice(0, 12).map(({ ref, changedSince }) => (
              <span key={`${ref.objectKind} ${ref.id}`}>
                <Go to={entityPath(ref)}>
                  {ref.objectKind} {ref.name}
                </Go>
                {changedSince && <span className="quiet"> (changed since)</span>}
              </span>
            ))}
          </p>
        </>
      )}
    </>
  );
}

function countText(
  points: LogPatterns["patterns"][number]["points"],
  changeAt: number | undefined,
): string {
  const sum = (test: (at: number) => boolean) =>
    points.reduce((all, [at, value]) => all + (test(at) ? (value ?? 0) : 0), 0);
  if (changeAt === undefined) return "";
  const before = sum((at) => at < changeAt - 60_000);
  const after = sum((at) => at >= changeAt - 60_000);
  return ` ${formatCount(before)} before the change at ${clockTime(changeAt)}, ${formatCount(after)} from then on.`;
}

/** How often lines like this one were written. */
function LikeIt({
  line,
  changeAt,
}: {
  readonly line: LogLine;
  readonly changeAt: number | undefined;
}): ReactNode {
  const { time } = useScope();
  const { pod: _pod, filename: _file, ...about } = line.labels;
  const asked = useQuery(logPatternsQuery(time, streamQuery(about)));
  return (
    <Loaded asked={asked} skeleton={<Skeleton rows={2} label="Counting lines like it" />}>
      {({ patterns }) => {
        const says = messageOf(line);
        const found = patterns.find(
          ({ pattern }) => isLike(line.line, pattern) || isLike(says, pattern),
        );
        if (!found)
          return <p className="quiet">Its pattern is not counted yet; ask again in a minute.</p>;
        return (
          <div className="stack tight">
            <p>
              {plural(found.count, "line")} like it in this time
              {found.newSince !== null && <b>, new since {clockTime(found.newSince)}</b>}.
              {countText(found.points, changeAt)}
            </p>
            <Spark points={found.points} unit="count" label="Lines like it" height={36} bare />
          </div>
        );
      }}
    </Loaded>
  );
}

export function Explain({ line }: { readonly line: LogLine }): ReactNode {
  const at = nsToMs(line.timeNs);
  const requestId = requestIdOf(line);
  // A flag is about whom the proxy calls.
  const about = calledBy(line) ?? line.entity;
  const asked = useQuery(
    lineJoinsQuery({
      at: Math.ceil(at),
      ...(line.traceId === null ? {} : { trace: line.traceId }),
      ...(line.traceId === null && requestId !== undefined ? { request: requestId } : {}),
      service: about?.id ?? "",
    }),
  );
  const changeAt = asked.data && changesBefore(asked.data, at)[0]?.at;
  return (
    <div className="log-explain" data-testid="explain-line">
      <div className="stack tight">
        <h3>{isAccessLog(line) ? "A request" : "A line of the application"}</h3>
        <Words line={line} />
        <h3>Lines like it</h3>
        <LikeIt line={line} changeAt={changeAt} />
      </div>
      <div className="stack tight">
        <Loaded
          asked={asked}
          skeleton={<Skeleton rows={4} label="Looking for what belongs to it" />}
        >
          {(joins) => <Belongs joins={joins} at={at} />}
        </Loaded>
      </div>
    </div>
  );
}
