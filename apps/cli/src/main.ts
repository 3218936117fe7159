/** The `skopos` command. Exit codes: 0 done, 1 it failed or found trouble (with --exit-code), 2 wrong usage, 3 no answer. */
import { messageOf, SkoposError } from "@skopos/model";
import { Command, CommanderError } from "commander";
import { demoCommand } from "./commands/demo.ts";
import { graphCommand } from "./commands/graph.ts";
import { incidentsCommand } from "./commands/incidents.ts";
import { labCommand } from "./commands/lab.ts";
import { queryCommand, queryRangeCommand, seriesCommand } from "./commands/query.ts";
import { rulesCommand } from "./commands/rules.ts";
import { serveCommand } from "./commands/serve.ts";
import { targetsCommand } from "./commands/targets.ts";

const exitCodes: Readonly<Record<string, number>> = {
  unreachable: 3,
  "bad-config": 2,
  "bad-rule-file": 2,
  "bad-regex": 2,
  "bad-duration": 2,
  usage: 2,
};

const program = new Command("skopos")
  .description(
    "The incident desk for a service mesh: what is wrong, since when, why, and what to do about it.",
  )
  .version("0.1.0")
  .addCommand(demoCommand())
  .addCommand(serveCommand())
  .addCommand(labCommand())
  .addCommand(graphCommand())
  .addCommand(incidentsCommand())
  .addCommand(queryCommand())
  .addCommand(queryRangeCommand())
  .addCommand(seriesCommand())
  .addCommand(targetsCommand())
  .addCommand(rulesCommand())
  .addHelpText(
    "after",
    `
Start here:
  skopos demo                       a practice mesh and the server, with nothing else installed
  skopos lab break bad-rollout      break it, then open the link that the demo printed
  skopos incidents                  what Skopos makes of it

Commands that talk to a server take --server (or SKOPOS_SERVER) and print tables; -o json is for scripts.`,
  )
  .exitOverride();
for (const command of program.commands)
  for (const each of [command, ...command.commands]) each.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(`skopos: ${messageOf(error)}`);
    if (process.env["SKOPOS_DEBUG"] && error instanceof Error) console.error(error.stack);
    process.exitCode = error instanceof SkoposError ? (exitCodes[error.code] ?? 1) : 1;
  }
}
