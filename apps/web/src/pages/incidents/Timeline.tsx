import type { Incident, TimelineEntry } from "@skopos/api";
import {
  IconBell,
  IconBolt,
  IconFlag,
  IconGitCommit,
  IconMessage,
  IconNote,
  IconSearch,
} from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { client, saysError } from "../../data/client.ts";
import { useAddress } from "../../frame/address.ts";
import { clockTime, fullTime, zoneName } from "../../logic/times.ts";
import { Go } from "../../parts/Go.tsx";

type Kind = TimelineEntry["kind"];

const kinds: readonly (readonly [Kind, string, typeof IconBell])[] = [
  ["alert", "Alerts", IconBell],
  ["change", "Changes", IconGitCommit],
  ["diagnosis", "Diagnosis", IconSearch],
  ["action", "Actions", IconBolt],
  ["note", "Notes", IconNote],
  ["state", "State", IconFlag],
  ["message", "Messages", IconMessage],
];

function NoteForm({ id }: { readonly id: string }): ReactNode {
  const [text, setText] = useState("");
  const queries = useQueryClient();
  const add = useMutation({
    mutationFn: () => client.call("addNote", { params: { id }, body: { text } }),
    onSuccess: (incident) => {
      setText("");
      queries.setQueryData(["incident", id], incident);
    },
  });
  return (
    <form
      className="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate();
      }}
    >
      <div className="row tight">
        <input
          className="field grow"
          aria-label="A note for the timeline"
          placeholder="Write a note: what you saw, what you tried"
          maxLength={10_000}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="button" disabled={add.isPending || text.trim() === ""}>
          Add note
        </button>
      </div>
      {add.error && (
        <p className="state failing" role="alert">
          {saysError(add.error)}
        </p>
      )}
    </form>
  );
}

export function Timeline({
  incident,
  mayWrite,
}: {
  readonly incident: Incident;
  readonly mayWrite: boolean;
}): ReactNode {
  const { search, patch } = useAddress();
  const only = search.getAll("only");
  const present = kinds.filter(([kind]) => incident.timeline.some((entry) => entry.kind === kind));
  const shown = incident.timeline
    .filter(({ kind }) => only.length === 0 || only.includes(kind))
    .toSorted((a, b) => b.at - a.at || b.sequence - a.sequence);
  const toggle = (kind: Kind) =>
    patch(
      { only: only.includes(kind) ? only.filter((other) => other !== kind) : [...only, kind] },
      "replace",
    );
  return (
    <section className="stack" aria-labelledby="timeline-heading">
      <div className="section-head">
        <h2 id="timeline-heading">Timeline</h2>
        <span className="small quiet">newest first, times in {zoneName()}</span>
      </div>
      {mayWrite && <NoteForm id={incident.id} />}
      <div className="row tight" role="group" aria-label="Show only">
        {present.map(([kind, name]) => (
          <button
            key={kind}
            type="button"
            className="button small"
            aria-pressed={only.includes(kind)}
            onClick={() => toggle(kind)}
          >
            {name}
          </button>
        ))}
      </div>
      <ol className="timeline" aria-label="What happened">
        {shown.map((entry) => {
          const Icon = kinds.find(([kind]) => kind === entry.kind)?.[2] ?? IconNote;
          return (
            <li key={entry.sequence} data-kind={entry.kind}>
              <time
                className="quiet num"
                dateTime={new Date(entry.at).toISOString()}
                title={fullTime(entry.at)}
              >
                {clockTime(entry.at)}
              </time>
              <Icon size={16} aria-label={entry.kind} />
              <span>
                {entry.link === null ? entry.text : <Go to={entry.link}>{entry.text}</Go>}
                {entry.by !== "skopos" && <span className="quiet"> · {entry.by}</span>}
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
