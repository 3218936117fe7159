/** Events in words. Entries are only ever added. */
import { type TimelineEntry, webPaths } from "@skopos/api";
import type { DeskEvent } from "./events.ts";
import type { IncidentRecord } from "./state.ts";

const machine = "skopos";

type Line = Omit<TimelineEntry, "sequence">;

function actionLine(
  base: IncidentRecord,
  event: Extract<DeskEvent, { actionId: string }>,
): Line | undefined {
  const title = base.actions.find((action) => action.id === event.actionId)?.title ?? "Action";
  const line = (text: string, by = machine): Line => ({
    at: event.at,
    kind: "action",
    text,
    by,
    link: null,
  });
  switch (event.type) {
    case "action-planned":
      return line(`Planned: ${title}. ${event.planned.plan.blastRadius}`);
    case "action-closed":
      return line(`${title}: ${event.state}. ${event.why}`, event.by);
    case "action-approved":
      return line(`Approved: ${title}`, event.by);
    case "action-started":
      return line(`Started: ${title}`);
    case "action-executed":
      return line(`Written: ${event.text}. Watching the service's own signals`);
    case "action-judged":
      return line(`${title}: ${event.text}`);
    case "undo-started":
      return line(`Undoing: ${title}. ${event.why}`, event.by);
    case "undo-finished":
      return line(event.text);
  }
}

function diagnosisLines(
  base: IncidentRecord,
  event: Extract<DeskEvent, { type: "diagnosed" }>,
): Line[] {
  const lines: Line[] = [];
  const { state, hypotheses } = event.diagnosis;
  const first = hypotheses[0];
  const before = base.diagnosis.hypotheses[0];
  const change = first?.change;
  if (change && change.id !== before?.change?.id)
    lines.push({
      at: change.at,
      kind: "change",
      text: change.summary,
      by: change.by ?? "unknown",
      link: webPaths.changes({ id: change.id }),
    });
  const isNews = state !== base.diagnosis.state || first?.id !== before?.id;
  if (isNews && state === "explained" && first)
    lines.push({
      at: event.at,
      kind: "diagnosis",
      text: `${first.title} (${Math.round(first.confidence * 100)} % sure)`,
      by: machine,
      link: null,
    });
  else if (isNews && state === "unknown")
    lines.push({
      at: event.at,
      kind: "diagnosis",
      text: "Looked, and nothing stands out enough to be named as the cause",
      by: machine,
      link: null,
    });
  return lines;
}

/** What one event adds to the timeline of `base`, the incident before it. */
export function timelineOf(
  base: IncidentRecord,
  event: DeskEvent,
  sequence: number,
): TimelineEntry[] {
  return linesOf(base, event).map((line) => ({ ...line, sequence }));
}

function linesOf(base: IncidentRecord, event: DeskEvent): Line[] {
  const line = (kind: Line["kind"], text: string, by = machine): Line[] => [
    { at: event.at, kind, text, by, link: null },
  ];
  if ("actionId" in event) {
    const entry = actionLine(base, event);
    return entry ? [entry] : [];
  }
  switch (event.type) {
    case "incident-opened":
      return [
        ...line("state", `Opened: ${event.title}`),
        ...line("alert", `${event.alert.name} fires`),
      ];
    case "alert-joined":
      return line(
        "alert",
        `${event.alert.name} ${event.late ? "began before the recovery" : "fires"}${
          event.service ? ` for ${event.service.name}` : ""
        }`,
      );
    case "alert-changed":
      return line(
        "alert",
        `${event.alert.name} ${event.alert.state === "resolved" ? "is over" : "fires again"}`,
      );
    case "incident-reopened":
      return line("state", `Reopened: ${event.why}`);
    case "diagnosed":
      return diagnosisLines(base, event);
    case "acknowledged":
      return line("state", "Acknowledged", event.by);
    case "noted":
      return line("note", event.text, event.by);
    case "resolved":
      return line("state", `Resolved: ${event.why}`, event.by);
    case "action-proposed":
      return line("action", `Proposed: ${event.action.title}`);
    default:
      return [];
  }
}
