/**
 * A full disk: pushes are refused with the reason, alerts go out, and when there is room again writing goes on by itself with
 * nothing lost that was acknowledged. The disk is a small tmpfs, which takes the right to mount; where that is missing, the
 * journal's own tests on a simulated disk (packages/store) are what covers it.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { KubeServer } from "@skopos/testkit";
import { afterAll, expect, it } from "vitest";
import { scratchDir, until } from "../demo/processes.ts";
import { pushLines, pushSamples, pushSpans } from "./pushes.ts";
import { clickHouseReady, freePort, query, serve, type Served } from "./served.ts";
import { listenAsTarget, listenAsWebhook, scrapeConfigOf } from "./targets.ts";

const scratch = scratchDir();
const disk = path.join(scratch.dir, "disk");
mkdirSync(disk);
const mounted =
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=96m", "skopos-test", disk]).status === 0;
let served: Served | undefined;

afterAll(async () => {
  await served?.running.kill();
  if (mounted)
    await until(
      "the disk is let go of",
      async () => spawnSync("umount", [disk]).status === 0 || undefined,
      20_000,
    );
  scratch.remove();
});

const filler = path.join(disk, "filler");

/** Writes until nothing more fits. */
function fill(): void {
  const file = openSync(filler, "a");
  for (let sizeBytes = 2 ** 20; sizeBytes > 0;) {
    try {
      writeSync(file, Buffer.alloc(sizeBytes, 1));
    } catch {
      // Full for this size; smaller pieces may still fit.
      sizeBytes = Math.floor(sizeBytes / 2);
    }
  }
  closeSync(file);
}

const rules = `
groups:
  - name: disk
    interval: 1s
    rules:
      - alert: DiskCrossed
        expr: disk_level > 10
        labels: { severity: critical, namespace: shop, service: cart }
`;

/** A push of each kind, numbered; resolves with the answers' statuses and texts. */
async function pushAll(url: string, n: number): Promise<{ status: number; text: string }[]> {
  const timeMs = Date.now();
  const timeNs = BigInt(timeMs) * 1_000_000n;
  const id = n.toString(16).padStart(16, "0");
  const answers = await Promise.all([
    pushSamples(url, [
      { labels: { __name__: "disk_pushed", n: `${n}` }, samples: [{ timeMs, value: n }] },
    ]),
    pushSpans(url, [{ traceId: id + id, spanId: id, name: "work", startNs: timeNs }]),
    pushLines(url, { job: "disk" }, [[timeNs, `line ${n}.`]]),
  ]);
  return Promise.all(
    answers.map(async (answer) => ({ status: answer.status, text: await answer.text() })),
  );
}

const title = mounted
  ? "a full disk refuses pushes, delays no alert, and loses nothing acknowledged"
  : "a full disk (not run: no right to mount a small tmpfs here; the journal's simulated disk covers it)";

it.runIf(mounted)(
  title,
  async () => {
    let level = 1;
    const target = await listenAsTarget(() => `disk_level ${level}\n`);
    const webhook = await listenAsWebhook();
    const kube = new KubeServer();
    try {
      const options = {
        dir: path.join(scratch.dir, "settings"),
        dataDir: path.join(disk, "data"),
        port: await freePort(),
        kubernetes: await kube.listen(),
        rules,
        scrapeConfig: scrapeConfigOf([target.address], "1s"),
        webhook: `http://${webhook.address}/`,
      };
      const running = await serve(options);
      served = running;
      await clickHouseReady(running);
      const acknowledged: number[] = [];
      for (let n = 1; n <= 20; n++) {
        const answers = await pushAll(running.url, n);
        expect(answers.map(({ status }) => status)).toEqual([204, 200, 204]);
        acknowledged.push(n);
      }

      fill();
      const refused = await until(
        "pushes are refused",
        async () => {
          fill();
          const answers = await pushAll(running.url, 1000);
          return answers.every(({ status }) => status >= 400) ? answers : undefined;
        },
        20_000,
        50,
      );
      for (const { status, text } of refused) {
        expect(text).toMatch(/no space left/);
        expect(status).toBe(503);
      }
      level = 50;
      const crossedMs = performance.now();
      const heard = await until(
        "the webhook hears of the alert",
        async () => webhook.received.find(({ status }) => status === "firing"),
        10_000,
        20,
      );
      expect((await query(running, "disk_level"))[0]?.value?.[1]).toBe("50");

      rmSync(filler);
      const freedMs = performance.now();
      let tries = acknowledged.length;
      const resumedMs = await until(
        "pushes are taken again",
        async () => {
          // What was refused may be written later, so its number is not used again.
          const n = ++tries;
          const answers = await pushAll(running.url, n);
          if (answers.some(({ status }) => status >= 300)) return undefined;
          acknowledged.push(n);
          return performance.now();
        },
        20_000,
        50,
      );
      console.log(
        `alert ${(heard.atMs - crossedMs).toFixed(0)} ms after crossing on a full disk; writing went on ${(resumedMs - freedMs).toFixed(0)} ms after there was room`,
      );

      await running.running.kill();
      const again = await serve(options);
      served = again;
      await clickHouseReady(again);
      await expect
        .poll(async () => (await again.api.call("incidents")).incidents.length, { timeout: 20_000 })
        .toBe(1);
      const last = acknowledged.at(-1) ?? 0;
      await until(
        "what was acknowledged can be read",
        async () => {
          const id = last.toString(16).padStart(16, "0");
          await again.api.call("trace", { params: { id: id + id } });
          const query = `{job="disk"} |= "line ${last}."`;
          return (await again.api.call("logs", { query: { query } })).lines[0];
        },
        60_000,
      );
      const lines = await again.api.call("logs", { query: { query: '{job="disk"}', limit: 5000 } });
      for (const n of acknowledged) {
        expect(
          (await query(again, `last_over_time(disk_pushed{n="${n}"}[15m])`))[0]?.value?.[1],
        ).toBe(`${n}`);
        const id = n.toString(16).padStart(16, "0");
        expect((await again.api.call("trace", { params: { id: id + id } })).spans).toHaveLength(1);
        expect(lines.lines.filter(({ line }) => line === `line ${n}.`)).toHaveLength(1);
      }
    } finally {
      await Promise.all([target.close(), webhook.close(), kube.close()]);
    }
  },
  150_000,
);
