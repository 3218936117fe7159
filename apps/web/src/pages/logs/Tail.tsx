/** Lines as they come: newest on top, standing still while somebody reads. */
import "../../styles/logs.css";
import { type ReactNode, useRef, useState } from "react";
import { tailLinesMax } from "../../logic/log-tail.ts";
import { formatSpan, plural } from "../../logic/numbers.ts";
import { Empty, Notice } from "../../parts/States.tsx";
import { useNow } from "../../parts/use-now.ts";
import { LineList } from "./LineList.tsx";
import { useTail } from "./use-tail.ts";

type Link = ReturnType<typeof useTail>["link"];

function LinkState({
  link,
  held,
}: {
  readonly link: Link;
  readonly held: "paused" | "reading" | null;
}): ReactNode {
  const now = useNow(1000);
  switch (link.state) {
    case "connecting":
      return <span className="state idle">… Connecting</span>;
    case "live":
      return held ? (
        <span className="state idle">
          ❙❙ {held === "paused" ? "Paused" : "Held still while you read"}
        </span>
      ) : (
        <span className="state healthy">● Live</span>
      );
    case "lost":
      return (
        <span className="state degraded">
          ▲ Connection lost; again in {formatSpan(Math.max(0, link.retryAt - now))}
        </span>
      );
    default:
      return <span className="state failing">◆ Refused</span>;
  }
}

export function Tail({
  query,
  narrow,
}: {
  readonly query: string;
  readonly narrow: (query: string) => void;
}): ReactNode {
  const [paused, setPaused] = useState(false);
  const [reading, setReading] = useState(false);
  const section = useRef<HTMLElement>(null);
  const held = paused || reading;
  const { link, tail, retry } = useTail(query, held);
  const { lines, waiting, pushedOut, leftOut } = tail;
  const showNew = () => {
    section.current?.querySelector(".log-lines")?.scrollTo({ top: 0 });
    setPaused(false);
    setReading(false);
  };
  return (
    <section className="stack tight" aria-label="Live tail" ref={section}>
      <div className="row between tight">
        <span className="row tight" role="status" data-testid="tail-state" data-state={link.state}>
          <LinkState link={link} held={paused ? "paused" : reading ? "reading" : null} />
        </span>
        <span className="row tight">
          {held && waiting.length > 0 && (
            <button type="button" className="button small" onClick={showNew}>
              {waiting.length >= tailLinesMax
                ? `Show the newest ${tailLinesMax}`
                : `Show ${plural(waiting.length, "new line")}`}
            </button>
          )}
          {link.state === "lost" && (
            <button type="button" className="button small" onClick={retry}>
              Connect now
            </button>
          )}
          {link.state !== "refused" && (
            <button
              type="button"
              className="button small"
              aria-pressed={paused}
              onClick={() => setPaused(!paused)}
            >
              {paused ? "Go on" : "Pause"}
            </button>
          )}
        </span>
      </div>
      {link.state === "refused" ? (
        <Notice kind="failing">
          <p>This query cannot be followed: {link.reason || "the server gave no reason"}</p>
        </Notice>
      ) : lines.length === 0 ? (
        <Empty title={link.state === "live" ? "Waiting for the first line" : "No lines yet"}>
          <p>Lines that match appear here as they are written, within a second or two.</p>
        </Empty>
      ) : (
        <LineList lines={lines} query={query} narrow={narrow} reading={setReading} />
      )}
      <p className="small quiet" hidden={lines.length === 0}>
        {plural(lines.length, "line")}
        {pushedOut > 0 && `; the newest ${tailLinesMax} are kept, ${pushedOut} older ones let go`}
        {leftOut > 0 && `; ${leftOut} left out by the server because they came too fast`}
      </p>
    </section>
  );
}
