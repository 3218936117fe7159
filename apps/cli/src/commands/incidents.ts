import type { Action, Incident, IncidentSummary } from "@skopos/api";
import { Command } from "commander";
import { connect, type ConnectionOptions, print, withConnection } from "../connection.ts";
import { ago, formatTable, milliseconds, percent } from "../table.ts";

function listText(incidents: readonly IncidentSummary[]): string {
  if (incidents.length === 0) return "No incidents.";
  const nowMs = Date.now();
  return formatTable(
    [
      { title: "ID", value: (i) => i.id },
      { title: "STATE", value: (i) => i.state },
      { title: "SEVERITY", value: (i) => i.severity },
      { title: "SINCE", value: (i) => ago(i.startedAt, nowMs) },
      {
        title: "CAUSE",
        value: (i) =>
          i.cause
            ? `${i.cause.node.name}: ${i.cause.mechanism} (${percent(i.cause.confidence)})`
            : "–",
      },
      { title: "TITLE", value: (i) => i.title },
    ],
    incidents,
  );
}

function actionText(action: Action): string {
  const criteria = action.criteria.map(
    (c) =>
      `    ${c.holds === true ? "holds" : c.holds === false ? "fails" : "?"}  ${c.title}: ${figure(c.now, c.unit)} (at most ${figure(c.atMost, c.unit)}, before ${figure(c.before, c.unit)})`,
  );
  const diff = action.plan?.diff.split("\n").map((line) => `    ${line}`) ?? [];
  return [
    `  ${action.id}  ${action.state}  ${action.title}`,
    ...(action.outcome ? [`    ${action.outcome}`] : []),
    ...diff,
    ...criteria,
  ].join("\n");
}

function figure(value: number | null, unit: string): string {
  if (value === null) return "–";
  if (unit === "ratio") return percent(value);
  return unit === "ms" ? milliseconds(value) : value.toFixed(2);
}

function incidentText(incident: Incident): string {
  const [first, ...others] = incident.diagnosis.hypotheses;
  const lines = [
    incident.title,
    `${incident.state}, ${incident.severity}, since ${new Date(incident.startedAt).toISOString()}`,
    "",
    first
      ? `Cause (${percent(first.confidence)}): ${first.title}`
      : `Cause: ${incident.diagnosis.state}`,
    ...(first
      ? [
          `  ${first.summary}`,
          ...first.evidence.map((e) => `  + ${e.statement}`),
          ...first.against.map((e) => `  - ${e.statement}`),
        ]
      : []),
    ...(first?.change
      ? [`  change: ${first.change.summary} (${new Date(first.change.at).toISOString()})`]
      : []),
    ...others.map((h) => `Or (${percent(h.confidence)}): ${h.title}`),
    "",
    "Actions:",
    ...incident.actions.map(actionText),
    "",
    "Timeline:",
    ...incident.timeline.map(
      (e) =>
        `  ${new Date(e.at).toISOString()}  ${e.kind.padEnd(9)} ${e.text}${e.by === "skopos" ? "" : ` (${e.by})`}`,
    ),
  ];
  return lines.join("\n");
}

/** Options stand on the parent command, so that they may be given before or after the subcommand. */
const optionsOf = (command: Command) => command.optsWithGlobals<ConnectionOptions>();

export function incidentsCommand(): Command {
  const command = withConnection(
    new Command("incidents").description("list incidents, open ones first"),
  )
    .option("--state <state>", "open, resolved or all", "all")
    .option("--exit-code", "exit with 1 when an incident is open")
    .addHelpText(
      "after",
      "\nExamples:\n  skopos incidents\n  skopos incidents show inc-1\n  skopos incidents approve inc-1 act-1 --confirm user-service\n",
    )
    .action(
      async (
        options: ConnectionOptions & { state: "open" | "resolved" | "all"; exitCode?: boolean },
      ) => {
        const { incidents } = await connect(options).call("incidents", {
          query: { state: options.state },
        });
        print(options, incidents, listText);
        if (options.exitCode && incidents.some((i) => i.state !== "resolved")) process.exitCode = 1;
      },
    );
  command
    .command("show <id>")
    .description("one incident: cause, evidence, actions, timeline")
    .action(async (id: string, _own: unknown, self: Command) => {
      const options = optionsOf(self);
      print(options, await connect(options).call("incident", { params: { id } }), incidentText);
    });
  command
    .command("plan <id> <action>")
    .description("dry-run an action again and show its diff")
    .action(async (id: string, actionId: string, _own: unknown, self: Command) => {
      const options = optionsOf(self);
      print(
        options,
        await connect(options).call("planAction", { params: { id, actionId } }),
        actionText,
      );
    });
  command
    .command("approve <id> <action>")
    .description("run a planned action; it is verified, and undone if it does not help")
    .requiredOption("--confirm <name>", "the name of the object that is changed, to be sure")
    .action(
      async (id: string, actionId: string, { confirm }: { confirm: string }, self: Command) => {
        const options = optionsOf(self);
        print(
          options,
          await connect(options).call("approveAction", {
            params: { id, actionId },
            body: { confirm },
          }),
          actionText,
        );
      },
    );
  command
    .command("note <id> <text>")
    .description("add a note to the timeline")
    .action(async (id: string, text: string, _own: unknown, self: Command) => {
      const options = optionsOf(self);
      print(
        options,
        await connect(options).call("addNote", { params: { id }, body: { text } }),
        () => "noted",
      );
    });
  return command;
}
