/**
 * Each scenario read off two pages alone: a trace opened from the Traces page says where it failed or waited and what changed
 * before, and the Logs page says the same of the lines, whole and one by one. The ground truth is read from the scenario files.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { launchBrowser, picture } from "./browser.ts";
import { type Running, scratchDir, startProgram, until } from "./processes.ts";

const scenariosDir = path.resolve(import.meta.dirname, "../../apps/lab/scenarios");
const uptimeMs = 75_000;
const tracesTried = 6;

interface Reading {
  /** Traces among which some tell. */
  readonly traces: string;
  readonly traceSays: RegExp;
  readonly linesSay: RegExp;
  /** Lines of which one is opened. */
  readonly lines: string;
  readonly lineSays: RegExp;
}

const readings: Readonly<Record<string, Reading>> = {
  "connection-overflow": {
    traces: '{ status = error && span.response_flags = "UO" }',
    traceSays: /flag UO: connection pool overflow/,
    linesSay: /requests to user-service end with 503 and the flag UO \(connection pool overflow\)/,
    lines: '{namespace="socialstream"} | response_flags="UO"',
    lineSays: /connection pool overflow/,
  },
  "bad-rollout": {
    traces: '{ status = error && resource.service.name =~ "post-service.*" }',
    traceSays: /failure begins at post-service/,
    linesSay: /requests to post-service end with 500/,
    lines: '{app="post-service"} | method="" | detected_level="error"',
    lineSays: /unhandled exception/,
  },
  "database-pool-exhausted": {
    traces: '{ name = "db.pool.acquire" && duration > 200ms }',
    traceSays: /user-service.*“db\.pool\.acquire” itself.*a wait for something/s,
    linesSay: /requests to user-service (?:take \d+ ms or longer|end with 50\d)/,
    lines: '{app="user-service"} | upstream_cluster=~"inbound.*" | duration_ms=~"[0-9]{3,}"',
    lineSays: /user-service received it/,
  },
};

interface Culprit {
  readonly kind: string;
  readonly name: string;
}

function culpritOf(scenario: string): Culprit {
  const file = parse(readFileSync(path.join(scenariosDir, `${scenario}.yaml`), "utf8")) as {
    groundTruth: { change: Culprit };
  };
  return file.groundTruth.change;
}

describe("the pages explain by themselves", () => {
  const scratch = scratchDir();
  let demo: Running;
  let browser: Browser;
  let page: Page;
  let address = "";

  const open = (place: string, query: string) =>
    page.goto(`${address}${place}?range=5m&q=${encodeURIComponent(query)}`);
  const region = (name: string) => page.getByRole("region", { name });

  beforeAll(async () => {
    demo = startProgram(["demo", "--port", "0", "--data-dir", scratch.dir, "--rps", "20"]);
    const [, signIn = ""] = await demo.waitFor(/Sign in\s+(\S+)/, 120_000);
    address = new URL(signIn).origin;
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    page.setDefaultTimeout(60_000);
    await page.goto(signIn);
    await page.getByRole("button", { name: /Signed in as .*admin/ }).waitFor();
    // What breaks is told by comparing it with a time in which nothing was broken.
    await until(
      "some past",
      async () => {
        const response = await fetch(`${address}/api/skopos/v1/status`);
        const { now, startedAt } = (await response.json()) as { now: number; startedAt: number };
        return now - startedAt > uptimeMs ? true : undefined;
      },
      uptimeMs + 60_000,
      1000,
    );
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
    scratch.remove();
  }, 60_000);

  afterEach(async () => {
    await page.goto(`${address}/practice`);
    await page.locator('[data-testid="mend"]').click();
    await page.locator("[data-broken]").waitFor({ state: "detached" });
  }, 120_000);

  /** Opens one trace after the other until one tells; not every one goes through what is broken. */
  async function traceThatSays(query: string, says: RegExp, culprit: RegExp): Promise<string> {
    await open("/traces", query);
    const links = page.locator('main a[href^="/traces/"]:not([href*="compare"])');
    await links.first().waitFor({ timeout: 10_000 });
    const paths = await links.evaluateAll((found) => [
      ...new Set(found.map((link) => link.getAttribute("href") ?? "")),
    ]);
    for (const each of paths.slice(0, tracesTried)) {
      await page.goto(address + each);
      const box = region("What this trace says");
      await box.getByRole("listitem").or(box.getByText("Nothing unusual")).first().waitFor();
      const text = await box.innerText();
      if (says.test(text) && culprit.test(text)) return text;
    }
    throw new Error(`none of ${paths.length} traces of ${query} says ${says} and ${culprit}`);
  }

  for (const [scenario, reading] of Object.entries(readings)) {
    it(
      `tells of ${scenario} from a trace and from the log lines`,
      { timeout: 300_000 },
      async () => {
        const { kind, name } = culpritOf(scenario);
        const changed = new RegExp(`${kind} ${name} changed`);
        await page.goto(`${address}/practice`);
        await page.locator(`[data-scenario="${scenario}"] button`).click();
        await page.locator(`[data-broken="${scenario}"]`).waitFor();

        await until(
          "a trace that tells",
          () => traceThatSays(reading.traces, reading.traceSays, changed),
          120_000,
          3000,
        );
        await picture(page, `trace-of-${scenario}`);

        await open("/logs", '{namespace="socialstream"}');
        const box = region("What these lines say");
        await until(
          "lines that tell",
          async () => {
            const text = await box.innerText();
            return reading.linesSay.test(text) && changed.test(text) ? text : undefined;
          },
          120_000,
          1000,
        );
        expect(await box.innerText()).not.toContain("could not be");
        await picture(page, `lines-of-${scenario}`);

        await open("/logs", reading.lines);
        await page.locator(".log-lines button.log-summary").first().click();
        const explained = page.locator('[data-testid="explain-line"]');
        await explained.getByText(reading.lineSays).first().waitFor();
        await explained
          .locator('[data-statement="change"]', { hasText: `${kind} ${name}` })
          .first()
          .waitFor();
        await picture(page, `line-of-${scenario}`);
      },
    );
  }
});
