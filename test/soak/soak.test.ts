/** The soak's short form: a small mesh, seconds instead of minutes. `npm run soak` is the long one. */
import { expect, it } from "vitest";
import { scratchDir } from "../demo/processes.ts";
import { Soak } from "./soak.ts";

const scratch = scratchDir();
const seed = Number(process.env["SKOPOS_SEED"] ?? 11);

it("loses no acknowledged sample while pods come and go and the server is killed", async () => {
  const soak = new Soak({
    dir: `${scratch.dir}/soak`,
    series: 5000,
    durationMs: 24_000,
    intervalMs: 1000,
    killEveryMs: 8000,
    churn: 0.05,
    seed,
    log: (line) => console.log(line),
  });
  try {
    const outcome = await soak.run();
    console.log(`seed ${seed}: ${JSON.stringify(outcome)}`);
    expect(outcome.faults).toEqual([]);
    expect(outcome.kills).toBeGreaterThanOrEqual(2);
    expect(outcome.samplesChecked).toBeGreaterThan(5000);
  } finally {
    await soak.stop();
  }
}, 120_000);
