/**
 * The whole thread in a real browser: a living mesh, each scenario broken on the Practice page, exactly one incident with the
 * planted cause first, the same read off a trace and off the log lines alone, the proposed fix approved, recovery proven. The
 * ground truth is read from the scenario files here and nowhere in the program.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Graph, Incident, IncidentSummary } from "@skopos/api";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { launchBrowser, picture } from "./browser.ts";
import { type Running, scratchDir, startProgram, until } from "./processes.ts";
import { isReadable, PageReader } from "./readings.ts";

const scenarioNames = (
  process.env["SKOPOS_SCENARIOS"] ?? "connection-overflow,bad-rollout,database-pool-exhausted"
).split(",");
const scenariosDir = path.resolve(import.meta.dirname, "../../apps/lab/scenarios");
/** As people run them: 15 s scrapes and rules with for: 2m. Takes long, so it is asked for. */
const slow = process.env["SKOPOS_THREAD_TIMING"] === "production";
const wait = (ms: number) => (slow ? ms * 4 : ms);

interface GroundTruth {
  readonly node: { readonly namespace: string; readonly name: string };
  readonly mechanism: string;
  readonly change: { readonly kind: string; readonly namespace: string; readonly name: string };
}

function groundTruthOf(scenario: string): GroundTruth {
  const file = parse(readFileSync(path.join(scenariosDir, `${scenario}.yaml`), "utf8")) as {
    groundTruth: GroundTruth;
  };
  return file.groundTruth;
}

const gateway = "istio-system/istio-ingressgateway";
const service = (name: string) => `socialstream/${name}`;
const edges = [
  [gateway, service("frontend")],
  [service("frontend"), service("user-service")],
  [service("frontend"), service("post-service")],
  [service("frontend"), service("recommendation-engine")],
  [service("frontend"), service("analytics")],
  [service("recommendation-engine"), service("user-service")],
  [service("recommendation-engine"), service("post-service")],
  [service("user-service"), service("user-db")],
].map(([from, to]) => `${from}->${to}`);

describe("from a fresh start to a repaired incident", () => {
  const scratch = scratchDir();
  let demo: Running;
  let browser: Browser;
  let page: Page;
  let address = "";
  const browserErrors: string[] = [];

  const get = async <Answer>(call: string): Promise<Answer> => {
    const response = await fetch(`${address}/api/skopos/v1${call}`);
    if (!response.ok) throw new Error(`${call}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  const incidents = async () =>
    (await get<{ incidents: IncidentSummary[] }>("/incidents?state=all")).incidents;

  beforeAll(async () => {
    const timing = slow
      ? [
          "--scrape-interval",
          "15s",
          "--rules",
          path.resolve("dist/rules/mesh.yaml"),
          "--hold-time",
          "2m",
          "--quiet-time",
          "1m",
        ]
      : [];
    demo = startProgram([
      "demo",
      "--port",
      "0",
      "--data-dir",
      scratch.dir,
      "--rps",
      "30",
      ...timing,
    ]);
    const [, signIn = ""] = await demo.waitFor(/Sign in\s+(\S+)/, 90_000);
    address = new URL(signIn).origin;
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });
    page.on("pageerror", (error) => browserErrors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && message.text().includes("Content Security Policy"))
        browserErrors.push(message.text());
    });
    await page.goto(signIn);
    await page.getByRole("button", { name: /Signed in as .*admin/ }).waitFor({ timeout: 20_000 });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
    scratch.remove();
  }, 60_000);

  it("removes the one-time code from the address", () => {
    expect(page.url()).not.toContain("signin");
  });

  it(
    "shows every edge of the mesh, and all of it well",
    { timeout: slow ? 500_000 : 200_000 },
    async () => {
      await page.goto(`${address}/mesh`);
      for (const id of edges)
        await page
          .locator(`[data-edge-id="${id}"]`)
          .first()
          .waitFor({ state: "attached", timeout: 90_000 });
      const shown = await page
        .locator("[data-edge-id]")
        .evaluateAll((found) => [...new Set(found.map((e) => e.getAttribute("data-edge-id")))]);
      expect(shown.sort()).toEqual([...edges].sort());
      // Latency is judged against the service's own past, of which there must be some.
      const graph = await until(
        "a healthy mesh with two minutes of past",
        async () => {
          const found = await get<Graph>("/mesh/graph");
          const uptime = await get<{ now: number; startedAt: number }>("/status");
          const well = found.nodes.every((node) => node.health.state === "healthy");
          return well && uptime.now - uptime.startedAt > (slow ? 300_000 : 110_000)
            ? found
            : undefined;
        },
        slow ? 400_000 : 150_000,
        1000,
      );
      expect(graph.edges.map((edge) => edge.id).sort()).toEqual([...edges].sort());
      expect(await incidents()).toEqual([]);
      await picture(page, "mesh");
    },
  );

  it("draws the same calls from spans alone, and says how they stand against the metrics", async () => {
    await page.goto(`${address}/traces/graph?view=list`);
    for (const called of ["user-service", "post-service", "recommendation-engine"])
      await page
        .getByRole("row", { name: new RegExp(`^frontend → ${called} Agrees`) })
        .waitFor({ timeout: 60_000 });
    await picture(page, "graph-of-spans");
    await page.goto(`${address}/traces/services`);
    const frontend = page.getByRole("row", { name: /^frontend\.socialstream its sidecar too/ });
    await frontend.waitFor({ timeout: 30_000 });
    expect(await frontend.innerText()).toMatch(/\d\/s\s+0 %\s+[\d.]+ ms\s+[\d.]+ ms/);
    await picture(page, "services-by-spans");
  }, 120_000);

  describe.each(scenarioNames)("%s", (scenario) => {
    const truth = groundTruthOf(scenario);
    const causeId = `${truth.node.namespace}/${truth.node.name}`;
    let before: ReadonlySet<string> = new Set();
    let incident = "";

    afterAll(async () => {
      // What failed must not keep the next one from being tried.
      await page.goto(`${address}/practice`);
      const mend = page.locator('[data-testid="mend"]');
      await page.locator("[data-scenario]").first().waitFor();
      if (await page.locator("[data-broken]").count()) await mend.click();
      await page.locator("[data-broken]").waitFor({ state: "detached", timeout: 60_000 });
    }, 120_000);

    it("is explained by one incident", { timeout: wait(300_000) }, async () => {
      before = new Set((await incidents()).map((each) => each.id));
      await page.goto(`${address}/practice`);
      await page.locator(`[data-scenario="${scenario}"] button`).click();
      await page.locator(`[data-broken="${scenario}"]`).waitFor({ timeout: 30_000 });
      const brokenAt = Date.now();

      const opened = await until(
        "an incident",
        async () => (await incidents()).find((each) => !before.has(each.id)),
        wait(120_000),
      );
      incident = opened.id;
      await page.goto(`${address}/incidents/${incident}`);
      const cause = page.locator('[data-testid="first-hypothesis"]');
      await until(
        `${causeId} named as the cause by ${truth.mechanism}`,
        async () => {
          const { diagnosis } = await get<Incident>(`/incidents/${incident}`);
          const [first] = diagnosis.hypotheses;
          return first?.node.id === causeId && first.mechanism === truth.mechanism && first.change
            ? first
            : undefined;
        },
        wait(120_000),
      );
      const explainedMs = Date.now() - brokenAt;
      await cause
        .locator(`[data-testid="cause-node"][data-entity-id="${causeId}"]`)
        .waitFor({ timeout: 15_000 });
      await cause
        .locator(`[data-testid="mechanism"][data-mechanism="${truth.mechanism}"]`)
        .waitFor({ timeout: 15_000 });
      const culprit = cause.locator('[data-testid="culprit-change"]');
      await culprit.waitFor({ timeout: 15_000 });
      const blamed = (await get<Incident>(`/incidents/${incident}`)).diagnosis.hypotheses[0]
        ?.change;
      expect([blamed?.object.objectKind, blamed?.object.namespace, blamed?.object.name]).toEqual([
        truth.change.kind,
        truth.change.namespace,
        truth.change.name,
      ]);
      console.log(`${scenario}: explained ${(explainedMs / 1000).toFixed(1)} s after the break`);
      await picture(page, `incident-${scenario}`);
    });

    if (isReadable(scenario)) {
      it("can be read off a trace alone", { timeout: 180_000 }, () =>
        new PageReader(page, address, scenario, truth.change).traces(),
      );

      it("can be read off the log lines alone", { timeout: 180_000 }, () =>
        new PageReader(page, address, scenario, truth.change).lines(),
      );
    }

    it("is repaired by the proposed fix", { timeout: wait(420_000) }, async () => {
      await page.goto(`${address}/incidents/${incident}`);
      const approve = page.locator('[data-testid="approve"]').first();
      await approve.waitFor({ timeout: wait(60_000) });
      await approve.scrollIntoViewIfNeeded();
      await approve.hover();
      await page.mouse.down();
      await page
        .locator(
          '[data-action-state="executing"], [data-action-state="verifying"], [data-action-state="succeeded"]',
        )
        .first()
        .waitFor({ timeout: 30_000 });
      await page.mouse.up();
      const approvedAt = Date.now();
      await page
        .locator('[data-testid="incident-state"][data-state="resolved"]')
        .first()
        .waitFor({ timeout: wait(200_000) });
      const repairedMs = Date.now() - approvedAt;
      console.log(`${scenario}: resolved ${(repairedMs / 1000).toFixed(1)} s after the approval`);
      await picture(page, `resolved-${scenario}`);
      const resolved = await get<Incident>(`/incidents/${incident}`);
      expect(resolved.actions.some((action) => action.state === "succeeded")).toBe(true);
      expect(resolved.diagnosis.hypotheses[0]?.node.id).toBe(causeId);

      await page.goto(`${address}/practice`);
      await page.locator('[data-testid="mend"]').click();
      await page
        .locator(`[data-broken="${scenario}"]`)
        .waitFor({ state: "detached", timeout: 60_000 });
      await until(
        "quiet",
        async () => {
          const { groups } = await get<{ groups: { rules: { alerts: { state: string }[] }[] }[] }>(
            "/alerts",
          );
          const firing = groups
            .flatMap((group) => group.rules.flatMap((rule) => rule.alerts))
            .filter((alert) => alert.state !== "resolved");
          const { nodes } = await get<Graph>("/mesh/graph");
          return firing.length === 0 && nodes.every((node) => node.health.state === "healthy")
            ? true
            : undefined;
        },
        wait(120_000),
        1000,
      );
      const after = (await incidents()).filter((each) => !before.has(each.id));
      expect(after.map((each) => `${each.id}: ${each.title}`)).toHaveLength(1);
    });
  });

  it("met no error in the page", () => {
    expect(browserErrors).toEqual([]);
  });
});
