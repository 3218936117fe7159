/** What kinds of lines there are: templates with how often each was seen over time, and which are new. */
import { type LogPatterns, webPaths } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Spark } from "../../charts/Spark.tsx";
import { logPatternsQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { ofStreams, shownPattern } from "../../logic/log-form.ts";
import { formatCount, plural } from "../../logic/numbers.ts";
import { clockTime, fullTime, localInput } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";
import { Empty, Loaded, Skeleton, Warnings } from "../../parts/States.tsx";

type Pattern = LogPatterns["patterns"][number];

function Text({ pattern }: { readonly pattern: string }): ReactNode {
  const pieces = pattern.split("<_>");
  return pieces.map((piece, at) => (
    // Pieces have no identity but their place.
    // oxlint-disable-next-line react/no-array-index-key
    <span key={at}>
      {at > 0 && (
        <span className="hole" title="differs from line to line">
          …
        </span>
      )}
      {piece}
    </span>
  ));
}

function Row({ found, query }: { readonly found: Pattern; readonly query: string }): ReactNode {
  const { patch } = useAddress();
  const { pattern, lines, count, points, newSince, after } = found;
  return (
    <li data-pattern={pattern}>
      <span className="num" title={`${count} lines`}>
        {formatCount(count)}
      </span>
      <Spark points={points} unit="count" label={`Lines like ${pattern}`} height={28} bare />
      <div className="stack tight">
        <button
          type="button"
          className="link-row mono"
          title="Only lines like this"
          onClick={() => patch({ q: ofStreams(query, lines), view: null, since: null })}
        >
          <span>
            <Text pattern={shownPattern(pattern)} />
          </span>
        </button>
        {newSince !== null && (
          <span className="small">
            <span className="tag failing">New</span> since {clockTime(newSince)}
            {after && (
              <>
                , after <Go to={webPaths.changes({ id: after.id })}>{after.summary}</Go>
              </>
            )}
          </span>
        )}
      </div>
    </li>
  );
}

/** Patterns that were not seen before a moment, which is in the address. */
function NewSince({ since }: { readonly since: number | undefined }): ReactNode {
  const { patch } = useAddress();
  return (
    <div className="row tight">
      <label className="row tight small">
        New since
        <input
          className="field"
          type="datetime-local"
          value={since === undefined ? "" : localInput(since).slice(0, 16)}
          onChange={(event) => {
            const ms = Date.parse(event.target.value);
            patch({ since: Number.isNaN(ms) ? null : String(ms) }, "replace");
          }}
        />
      </label>
      {since !== undefined && (
        <button type="button" className="button small" onClick={() => patch({ since: null })}>
          All patterns
        </button>
      )}
    </div>
  );
}

export function Patterns({ query }: { readonly query: string }): ReactNode {
  const { time } = useScope();
  const { search } = useAddress();
  const asMs = Number(search.get("since") ?? "");
  const since = Number.isSafeInteger(asMs) && asMs > 0 ? asMs : undefined;
  const asked = useQuery({
    ...logPatternsQuery(time, query, since),
    refetchInterval: time.kind === "relative" ? 15_000 : false,
  });
  return (
    <div className="stack">
      <NewSince since={since} />
      <Loaded asked={asked} skeleton={<Skeleton rows={8} height={36} label="Reading patterns" />}>
        {(found) => <Found {...found} query={query} since={since} />}
      </Loaded>
    </div>
  );
}

function Found({
  patterns,
  warnings,
  query,
  since,
}: LogPatterns & { readonly query: string; readonly since: number | undefined }): ReactNode {
  return (
    <div className="stack">
      <Warnings warnings={warnings} />
      {patterns.length === 0 ? (
        <Nothing since={since} />
      ) : (
        <>
          <ul className="patterns" aria-label="Patterns, new ones first, then the most frequent">
            {patterns
              .toSorted((a, b) => Number(b.newSince !== null) - Number(a.newSince !== null))
              .map((found) => (
                <Row key={found.pattern} found={found} query={query} />
              ))}
          </ul>
          <p className="small quiet" role="status">
            {plural(patterns.length, "pattern")}; new means not seen in as long a time before, up to
            an hour.
          </p>
        </>
      )}
    </div>
  );
}

function Nothing({ since }: { readonly since: number | undefined }): ReactNode {
  if (since !== undefined)
    return (
      <Empty title={`No new patterns since ${fullTime(since)}`}>
        <p>Every kind of line in this time was seen before. Choose an earlier moment, or all.</p>
      </Empty>
    );
  return (
    <Empty title="No patterns in this time yet">
      <p>
        Lines are sorted into patterns as they come in, and counted by the minute. Wait a minute,
        widen the time range, or look at the lines themselves.
      </p>
    </Empty>
  );
}
