import { Command } from "commander";
import { type ConnectionOptions, print, withConnection } from "../connection.ts";
import { callPrometheus } from "../prometheus-call.ts";
import { ago, formatTable, milliseconds } from "../table.ts";

interface Target {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeDuration: number;
}

const never = Date.parse("0001-01-01T00:00:00Z");

function targetText(targets: readonly Target[]): string {
  if (targets.length === 0) return "No targets.";
  const nowMs = Date.now();
  return formatTable(
    [
      { title: "JOB", value: (t) => t.scrapePool },
      { title: "TARGET", value: (t) => t.scrapeUrl },
      { title: "STATE", value: (t) => t.health },
      {
        title: "LAST SCRAPE",
        value: (t) => {
          const at = Date.parse(t.lastScrape);
          return at === never ? "–" : ago(at, nowMs);
        },
      },
      {
        title: "TOOK",
        align: "right",
        value: (t) => milliseconds(t.lastScrapeDuration * 1000),
      },
      { title: "WHY DOWN", value: (t) => t.lastError },
    ],
    targets,
  );
}

export function targetsCommand(): Command {
  return withConnection(
    new Command("targets").description("list what is scraped, and why a target is down"),
  )
    .option("--down", "only those that are not up")
    .option("--exit-code", "exit with 1 when a target is down")
    .action(async (options: ConnectionOptions & { down?: true; exitCode?: true }) => {
      const { activeTargets } = await callPrometheus<{ activeTargets: readonly Target[] }>(
        options,
        "targets",
      );
      const shown = options.down
        ? activeTargets.filter(({ health }) => health !== "up")
        : [...activeTargets].sort((a, b) => Number(a.health === "up") - Number(b.health === "up"));
      print(options, shown, targetText);
      if (options.exitCode && activeTargets.some(({ health }) => health === "down"))
        process.exitCode = 1;
    });
}
