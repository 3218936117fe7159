/** `npm run check`: format, types, lint, dead code, then the tests (layers among them). Stops at the first that fails. */
import { spawnSync } from "node:child_process";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const steps: [name: string, args: string[]][] = [
  ["format", ["npx", "oxfmt", "--check", "."]],
  ["types", ["npm", "run", "--silent", "types"]],
  ["lint", ["npx", "oxlint", "--type-aware"]],
  ["dead code", ["npx", "knip"]],
  ["tests", ["npm", "test", "--silent"]],
];
const skipTests = process.argv.includes("--no-tests");
for (const [name, [command = "", ...args]] of steps) {
  if (skipTests && name === "tests") continue;
  console.log(`# ${name}`);
  const done = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (done.status !== 0) {
    console.error(`${name} failed`);
    process.exit(1);
  }
}
