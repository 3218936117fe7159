/**
 * `npm test [-- vitest arguments]`: finds or installs what the tests need from the system, builds, runs every test, and ends
 * with the plain line `N passed, N failed`. A test that did not run counts as failed unless it names its reason.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "./build.ts";
import { systemTools } from "./system-tools.ts";

const root = path.resolve(import.meta.dirname, "..");
const shared = path.join(root, "../shared");
const tools = systemTools();
for (const [name, file] of Object.entries(tools)) console.log(`${name}=${file}`);
await build();

const conformance =
  process.env["SKOPOS_CONFORMANCE"] ??
  (existsSync(path.join(shared, "conformance")) ? path.join(shared, "conformance") : undefined);
if (!conformance)
  console.log("SKOPOS_CONFORMANCE is not set: the peers' suites are not run, our own cases are");

const vitest = path.join(root, "node_modules/vitest/vitest.mjs");

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** One run of the test runner over one project of vitest.config.ts. */
function runProject(project: string): Counts & { ok: boolean } {
  const report = path.join(root, `node_modules/.cache/vitest-${project}.json`);
  rmSync(report, { force: true });
  const args = [
    "run",
    "--project",
    project,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ];
  const run = spawnSync(process.execPath, [vitest, ...args, ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...tools, ...(conformance ? { SKOPOS_CONFORMANCE: conformance } : {}) },
  });
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0, ok: false };
  const result = JSON.parse(readFileSync(report, "utf8")) as {
    numPassedTests: number;
    numFailedTests: number;
    numPendingTests: number;
    numFailedTestSuites: number;
  };
  const failed =
    result.numFailedTests + (result.numFailedTests === 0 ? result.numFailedTestSuites : 0);
  return {
    passed: result.numPassedTests,
    failed,
    skipped: result.numPendingTests,
    ok: run.status === 0,
  };
}

// The whole program needs the machine to itself: a mesh without free CPU is a slow mesh, and its alerts are right to say so.
const outcomes = ["rooms", "program"].map(runProject);
const sum = (count: keyof Counts) => outcomes.reduce((total, outcome) => total + outcome[count], 0);
const skipped = sum("skipped");
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
process.exit(
  outcomes.every((outcome) => outcome.ok) && sum("failed") === 0 && sum("passed") > 0 ? 0 : 1,
);
