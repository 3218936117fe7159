import { parseDuration } from "@skopos/model";
import { Popover } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { IconClock } from "@tabler/icons-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { incidentsQuery } from "../data/queries.ts";
import {
  presets,
  rangeAround,
  rangeParameters,
  relativeName,
  resolveRange,
  type TimeRange as Range,
} from "../logic/scope.ts";
import { briefTime, formatAgo, localInput, zoneName } from "../logic/times.ts";
import { useNow } from "../parts/use-now.ts";
import { useAddress, useScope } from "./address.ts";

function rangeName(time: Range, now: number): string {
  if (time.kind === "relative") return relativeName(time.lengthMs);
  return `${briefTime(time.from, now)} – ${briefTime(time.to, now)}`;
}

function Absolute({ choose }: { readonly choose: (time: Range) => void }): ReactNode {
  const { time } = useScope();
  const [from, setFrom] = useState(() => localInput(resolveRange(time, Date.now()).start));
  const [to, setTo] = useState(() => localInput(resolveRange(time, Date.now()).end));
  const fromMs = Date.parse(from);
  const toMs = Date.parse(to);
  const valid = toMs > fromMs;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (valid) choose({ kind: "absolute", from: fromMs, to: toMs });
  };
  return (
    <form className="stack tight" onSubmit={submit}>
      <label className="labelled">
        From ({zoneName()})
        <input
          className="field"
          type="datetime-local"
          step={1}
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
      </label>
      <label className="labelled">
        To
        <input
          className="field"
          type="datetime-local"
          step={1}
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
      </label>
      {!valid && <p className="small state failing">The end must be after the start.</p>}
      <button type="submit" className="button" disabled={!valid}>
        Show this time
      </button>
    </form>
  );
}

/** Relative and absolute time range, and the way back to where an incident began. */
export function TimeRange(): ReactNode {
  const { time } = useScope();
  const { patch } = useAddress();
  const [opened, setOpened] = useState(false);
  const now = useNow(15_000);
  const { data } = useQuery(incidentsQuery("open"));
  const choose = (next: Range) => {
    patch(rangeParameters(next));
    setOpened(false);
  };
  const name = rangeName(time, now);
  return (
    <Popover
      opened={opened}
      onChange={setOpened}
      position="bottom-end"
      withinPortal
      trapFocus
      shadow="none"
      transitionProps={{ duration: 0 }}
    >
      <Popover.Target>
        <button
          type="button"
          className="button"
          aria-label={`Time range: ${name}`}
          onClick={() => setOpened(!opened)}
        >
          <IconClock size={16} aria-hidden="true" />
          {name}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <div className="popover-body">
          <div className="presets">
            {presets.map((preset) => (
              <button
                key={preset}
                type="button"
                className="button small"
                aria-pressed={time.kind === "relative" && time.lengthMs === parseDuration(preset)}
                onClick={() => choose({ kind: "relative", lengthMs: parseDuration(preset) })}
              >
                {preset}
              </button>
            ))}
          </div>
          {data && data.incidents.length > 0 && (
            <div className="stack tight">
              <h3>Back to the start of an incident</h3>
              {data.incidents.slice(0, 3).map((incident) => (
                <button
                  key={incident.id}
                  type="button"
                  className="button small"
                  title={incident.title}
                  onClick={() =>
                    choose(rangeAround(incident.startedAt, incident.resolvedAt ?? Date.now()))
                  }
                >
                  {incident.services[0]?.name ?? incident.title.slice(0, 24)},{" "}
                  {formatAgo(incident.startedAt, now)}
                </button>
              ))}
            </div>
          )}
          <Absolute key={`${opened}`} choose={choose} />
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
