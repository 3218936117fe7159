/** Metrics outlive the head: what it lets go of is answered from ClickHouse, as if it had never moved. */
import { afterEach, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { pushSamples } from "./pushes.ts";
import { clickHouseReady, freePort, query, serve, type Served } from "./served.ts";

const hourMs = 3_600_000;
let served: Served | undefined;
const scratch = scratchDir();
afterEach(async () => {
  await served?.running.kill();
  scratch.remove();
});

it("answers from head and history as one, through a kill, and deletes from both", async () => {
  const { dir } = scratch;
  const port = await freePort();
  // Nothing of the last four hours is sealed yet.
  served = await serve({
    dir,
    port,
    settings: { head: { retention: "8h" }, history: { carryAfter: "5h" } },
  });
  const nowMs = Date.now();
  const samples = Array.from({ length: 220 }, (_, i) => ({
    timeMs: nowMs - 225 * 60_000 + i * 60_000,
    value: i,
  }));
  const series = ["keep", "drop"].map((job) => ({
    labels: { __name__: "robust_old", job },
    samples,
  }));
  const answer = await pushSamples(served.url, series);
  expect(await answer.text()).toBe("");
  await served.running.kill();

  served = await serve({
    dir,
    port,
    settings: { head: { retention: "2h1m" }, history: { carryAfter: "1m" } },
  });
  const running = served;
  await clickHouseReady(running);
  const { parts } = await until(
    "what was sealed is carried",
    async () => {
      const status = await running.api.call("status", {});
      const history = status.parts.find(({ name }) => name === "History");
      const through = Date.parse(/through (\S+Z)/.exec(history?.detail ?? "")?.[1] ?? "");
      return through > Date.now() - hourMs - 120_000 ? status : undefined;
    },
    120_000,
  );
  expect(parts.find(({ name }) => name === "History")).toMatchObject({ state: "ok" });
  const found = await query(running, 'robust_old{job="keep"}[5h]');
  expect(found[0]?.values?.map(([, value]) => Number(value))).toEqual(
    samples.map(({ value }) => value),
  );

  const deleted = await fetch(
    `${running.url}/api/v1/admin/tsdb/delete_series?match[]=${encodeURIComponent('robust_old{job="drop"}')}`,
    { method: "POST", headers: running.headers },
  );
  expect(deleted.status).toBe(204);
  expect(await query(running, 'robust_old{job="drop"}[5h]')).toEqual([]);
  expect((await query(running, "count_over_time(robust_old[5h])"))[0]?.value?.[1]).toBe("220");
});
