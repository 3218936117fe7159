import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  parseRuleFile,
  parseRuleTestFile,
  type RuleGroup,
  type RuleText,
  runRuleTests,
} from "@skopos/alerting";
import { messageOf, SkoposError } from "@skopos/model";
import { Command } from "commander";
import { type ConnectionOptions, print, withConnection } from "../connection.ts";
import { callPrometheus } from "../prometheus-call.ts";
import { ago, formatTable, milliseconds } from "../table.ts";

interface Rule {
  readonly name: string;
  readonly type: "alerting" | "recording";
  readonly state?: "inactive" | "pending" | "firing";
  readonly health: string;
  readonly lastError?: string;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
  readonly query: string;
}
interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

function rulesText({ groups }: Rules): string {
  const rows = groups.flatMap(({ name: group, rules }) =>
    rules.map((rule) => ({ group, ...rule })),
  );
  if (rows.length === 0) return "No rules.";
  const nowMs = Date.now();
  return formatTable(
    [
      { title: "GROUP", value: (r) => r.group },
      { title: "RULE", value: (r) => r.name },
      { title: "STATE", value: (r) => r.state ?? "recording" },
      { title: "HEALTH", value: (r) => r.health },
      { title: "LAST", value: (r) => ago(Date.parse(r.lastEvaluation), nowMs) },
      { title: "TOOK", align: "right", value: (r) => milliseconds(r.evaluationTime * 1000) },
      { title: "ERROR", value: (r) => r.lastError ?? "" },
    ],
    rows,
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new SkoposError("bad-rule-file", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}

/** The same rule twice (name and labels) writes the same series twice. */
function duplicates(groups: readonly RuleGroup[]): string[] {
  const seen = new Map<string, number>();
  for (const { rules } of groups)
    for (const { name, labels } of rules) {
      const key = `${name} ${JSON.stringify(labels, Object.keys(labels).sort())}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  return [...seen].filter(([, count]) => count > 1).map(([key, count]) => `${key}: ${count} times`);
}

function checkCommand(): Command {
  return new Command("check")
    .description("check rule files: settings, expressions, templates")
    .argument("<files...>")
    .action((files: readonly string[]) => {
      let failed = 0;
      for (const file of files) {
        console.log(`Checking ${file}`);
        try {
          const groups = parseRuleFile(readText(file), file);
          const count = groups.reduce((sum, { rules }) => sum + rules.length, 0);
          console.log(`  SUCCESS: ${count} rules found`);
          for (const twice of duplicates(groups))
            console.log(`  WARNING: the same rule is there more than once: ${twice}`);
        } catch (error) {
          failed++;
          console.log(`  FAILED:\n${indented(messageOf(error))}`);
        }
      }
      if (failed > 0) process.exitCode = 1;
    });
}

/** The files that a test file's patterns name, relative to it. A name without a match is kept, to be complained of. */
function ruleTexts(testFile: string, patterns: readonly string[]): RuleText[] {
  const base = path.dirname(testFile);
  const files = patterns.flatMap((pattern) => {
    const full = path.resolve(base, pattern);
    return /[*?[]/.test(pattern) ? matching(full) : [full];
  });
  return [...new Set(files)].map((file) => ({ file, text: readText(file) }));
}

/** Files that a shell pattern in the last part of a path names, as Go's filepath.Glob. */
function matching(pattern: string): string[] {
  const dir = path.dirname(pattern);
  const source = path
    .basename(pattern)
    .replaceAll(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  const name = new RegExp(`^${source}$`);
  return readdirSync(dir)
    .filter((file) => name.test(file))
    .sort()
    .map((file) => path.join(dir, file));
}

function testCommand(): Command {
  return new Command("test")
    .description("run unit tests of rules, in promtool's format and with its verdicts")
    .argument("<files...>")
    .option("--run <pattern>", "only tests whose name matches this regular expression")
    .action(async (files: readonly string[], options: { run?: string }) => {
      const wanted = new RegExp(options.run ?? "");
      let failed = 0;
      for (const file of files) {
        console.log(`Unit testing ${file}`);
        try {
          const all = parseRuleTestFile(readText(file), file);
          const tests = all.tests?.filter(({ name }) => wanted.test(name ?? "")) ?? [];
          const outcomes = await runRuleTests(
            { ...all, tests },
            ruleTexts(file, all.rule_files ?? []),
          );
          const bad = outcomes.filter(({ failures }) => failures.length > 0);
          failed += bad.length;
          console.log(bad.length === 0 ? "  SUCCESS" : "  FAILED:");
          for (const { name, failures } of bad)
            console.log(`  ${name}\n${failures.map(indented).join("\n")}`);
        } catch (error) {
          failed++;
          console.log(`  FAILED:\n${indented(messageOf(error))}`);
        }
      }
      if (failed > 0) process.exitCode = 1;
    });
}

export function rulesCommand(): Command {
  const command = withConnection(
    new Command("rules").description("list, check and test recording and alerting rules"),
  );
  command.action(async (options: ConnectionOptions) => {
    print(options, await callPrometheus<Rules>(options, "rules"), rulesText);
  });
  return command.addCommand(checkCommand()).addCommand(testCommand());
}
