/**
 * `npm run soak -- [--size N] [--minutes M] [--kill-minutes K]`: remote writes of N series (default 300,000) every 15 s with
 * churn for M minutes (default 30), SIGKILL every K (default 4). Ends with one JSON line; exit code 1 when an acknowledged
 * sample is missing, or when memory or disk grow by more than what the head holds accounts for (`test/soak/growth.ts`).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { Soak } from "../test/soak/soak.ts";

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "300000" },
    minutes: { type: "string", default: "30" },
    "kill-minutes": { type: "string", default: "4" },
    seed: { type: "string", default: "11" },
  },
});
const dir = mkdtempSync(path.join(os.tmpdir(), "skopos-soak-"));
const minutes = Number(values.minutes);
const soak = new Soak({
  dir,
  series: Number(values.size),
  durationMs: minutes * 60_000,
  intervalMs: 15_000,
  killEveryMs: Number(values["kill-minutes"]) * 60_000,
  churn: 0.0025,
  seed: Number(values.seed),
  log: (line) => console.log(line),
});
let outcome;
try {
  outcome = await soak.run();
} finally {
  await soak.stop();
  rmSync(dir, { recursive: true, force: true });
}
const machine = `${os.cpus()[0]?.model ?? "unknown"} x${os.cpus().length}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, node ${process.version}`;
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
console.log(JSON.stringify({ soak: Number(values.size), minutes, ...outcome, machine, commit }));
process.exit(outcome.faults.length > 0 || outcome.samplesChecked === 0 ? 1 : 0);
