/** `npm run conformance -- <suite> [--dir D]`: runs `conformance/<suite>.ts` and prints its verdict last. */
import { existsSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

/** What a suite's module exports as `run`. */
export interface SuiteOutcome {
  passed: number;
  /** One readable line per failed case. */
  failures: string[];
  /** Case → why it is left out. */
  skipped: Record<string, string>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dir: { type: "string" }, verbose: { type: "boolean", short: "v" } },
});
const [suite] = positionals;
const dir = path.resolve(
  values.dir ?? process.env["SKOPOS_CONFORMANCE"] ?? "../shared/conformance",
);
const module = path.resolve(import.meta.dirname, `../conformance/${suite ?? ""}.ts`);

if (!suite || !existsSync(module)) {
  console.error(
    "usage: npm run conformance -- <suite> [--dir D] (suites: the .ts files of conformance/)",
  );
  process.exit(2);
}
if (!existsSync(dir)) {
  console.error(
    `no conformance data at ${dir}: name its directory with --dir or SKOPOS_CONFORMANCE`,
  );
  process.exit(2);
}
const { run } = (await import(module)) as { run: (dir: string) => Promise<SuiteOutcome> };
const { passed, failures, skipped } = await run(dir);
for (const line of values.verbose ? failures : failures.slice(0, 50))
  console.log(`failed: ${line}`);
for (const [name, why] of Object.entries(skipped)) console.log(`skipped: ${name}: ${why}`);
console.log(
  `${suite}: ${passed} passed, ${failures.length} failed, ${Object.keys(skipped).length} skipped`,
);
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);
