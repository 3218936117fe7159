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

const report = path.join(root, "node_modules/.cache/vitest-report.json");
rmSync(report, { force: true });
const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
const run = spawnSync(
  process.execPath,
  [
    vitest,
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...tools, ...(conformance ? { SKOPOS_CONFORMANCE: conformance } : {}) },
  },
);
if (!existsSync(report)) {
  console.error("the test runner left no report");
  process.exit(1);
}
const result = JSON.parse(readFileSync(report, "utf8")) as {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
};
const failed =
  result.numFailedTests + (result.numFailedTests === 0 ? result.numFailedTestSuites : 0);
console.log(
  `${result.numPassedTests} passed, ${failed} failed${result.numPendingTests > 0 ? `, ${result.numPendingTests} skipped` : ""}`,
);
process.exit(run.status === 0 && failed === 0 && result.numPassedTests > 0 ? 0 : 1);
