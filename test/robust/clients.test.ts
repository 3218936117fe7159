/**
 * The field's own clients: promtool and the expressions of Istio's dashboards against the server, kubectl against the
 * practice mesh. One demo for all of them.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dashboardExpressions, filledIn } from "../../bench/load/istio-dashboards.ts";
import { type Running, scratchDir, startProgram, until } from "../demo/processes.ts";
import { query, type Served } from "./served.ts";

const scratch = scratchDir();
let demo: Running;
let url: string;
let kube: string;
let server: Pick<Served, "get">;

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, KUBECONFIG: "/dev/null" };
    execFile(program, args, { timeout: 60_000, env }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(" ")}: ${stderr}${stdout}`));
      else resolve(stdout);
    });
  });
}

const promtool = (...args: string[]) => run(process.env["SKOPOS_PROMTOOL"] ?? "promtool", args);
const kubectl = (...args: string[]) =>
  run(process.env["SKOPOS_KUBECTL"] ?? "kubectl", [
    `--server=${kube}`,
    "-n",
    "socialstream",
    ...args,
  ]);

beforeAll(async () => {
  demo = startProgram(["demo", "--port", "0", "--rps", "10", "--data-dir", scratch.dir]);
  const [, signIn = ""] = await demo.waitFor(/Sign in\s+(\S+)/, 120_000);
  const [, kubeUrl = ""] = await demo.waitFor(/--server=(\S+)/, 1000);
  url = new URL(signIn).origin;
  kube = kubeUrl;
  server = {
    async get(where) {
      const response = await fetch(`${url}${where}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`GET ${where}: ${response.status} ${text}`);
      return JSON.parse(text);
    },
  };
  await until(
    "rates over half a minute",
    async () => (await query(server, "sum(rate(istio_requests_total[30s] offset 20s)) > 0"))[0],
    120_000,
    500,
  );
}, 260_000);

afterAll(async () => {
  await demo?.stop();
  scratch.remove();
}, 60_000);

describe("promtool", () => {
  it("asks an instant and a range query", async () => {
    const instant = await promtool("query", "instant", url, 'sum(up{job="kubernetes-pods"})');
    expect(Number(/=> (\d+)/.exec(instant)?.[1])).toBeGreaterThan(10);
    const end = Math.floor(Date.now() / 1000);
    const range = await promtool(
      "query",
      "range",
      `--start=${end - 20}`,
      `--end=${end}`,
      "--step=5s",
      url,
      "sum by (destination_service_name) (rate(istio_requests_total[30s]))",
    );
    expect(range).toContain('destination_service_name="user-service"');
    expect(range.match(/@\[\d/g)?.length).toBeGreaterThan(5);
  });

  it("lists series and label values", async () => {
    const series = await promtool(
      "query",
      "series",
      '--match=istio_requests_total{reporter="source"}',
      url,
    );
    expect(series).toContain("istio_requests_total");
    const values = await promtool("query", "labels", url, "destination_service_name");
    expect(values.split("\n")).toContain("post-service");
  });

  it("is told what is wrong with a query", async () => {
    await expect(promtool("query", "instant", url, "sum((")).rejects.toThrow(/parse error/);
  });
});

const conformance = process.env["SKOPOS_CONFORMANCE"];

/** Looked at in turn: one that is called over HTTP and calls over TCP, one that does both over HTTP, a database. */
const subjects = ["user-service", "recommendation-engine", "user-db"].map((workload) => ({
  namespace: "socialstream",
  workload,
  rateInterval: "30s",
  interval: "15s",
}));

it.runIf(conformance)(
  "every expression of Istio's dashboards is answered",
  async () => {
    const expressions = new Set(dashboardExpressions(conformance ?? ""));
    const failures: string[] = [];
    const silent: string[] = [];
    for (const expression of expressions) {
      const texts = new Set(subjects.map((subject) => filledIn(expression, subject)));
      const end = Math.floor(Date.now() / 1000);
      let series = 0;
      try {
        for (const text of texts) {
          const range = new URLSearchParams({
            query: text,
            start: `${end - 30}`,
            end: `${end}`,
            step: "5",
          });
          const [instant] = await Promise.all([
            query(server, text),
            server.get(`/api/v1/query_range?${range.toString()}`),
          ]);
          series += instant.length;
        }
        if (series === 0) silent.push(expression);
      } catch (error) {
        failures.push(`${expression}: ${String(error)}`);
      }
    }
    const asked = expressions.size;
    console.log(
      `${asked} distinct expressions, ${asked - failures.length} answered, ${asked - failures.length - silent.length} with data`,
    );
    if (process.env["SKOPOS_DEBUG"]) console.log(silent.join("\n"));
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(200);
    expect(asked - silent.length).toBeGreaterThan(asked / 3);
  },
  120_000,
);

describe("skopos lab break", () => {
  const lab = async (...args: string[]) => {
    const command = startProgram(["lab", "--data-dir", scratch.dir, ...args]);
    const [code] = (await once(command.child, "close")) as [number | null];
    return { code, output: command.output() };
  };

  it("plays a scenario from a file, and mend ends it", async () => {
    const file = path.resolve(import.meta.dirname, "../../dist/scenarios/bad-rollout.yaml");
    const broken = await lab("break", file);
    expect(broken.output).toContain("broken: bad-rollout");
    expect(broken.code).toBe(0);
    expect((await lab("mend")).code).toBe(0);
  }, 60_000);

  it.each([
    ["YAML", "name: x\nsteps: [\n", /:3:1: /],
    ["a setting", "name: x\ntitel: y\n", /:\d+:\d+: /],
  ])(
    "names the place of bad %s in a scenario file, and breaks nothing",
    async (_what, text, place) => {
      const file = path.join(scratch.dir, "bad-scenario.yaml");
      writeFileSync(file, text);
      const { code, output } = await lab("break", file);
      expect(output).toContain(file);
      expect(output).toMatch(place);
      expect(code).toBe(1);
      const state = (await server.get("/api/skopos/v1/practice")) as { broken: unknown };
      expect(state.broken).toBeNull();
    },
  );
});

describe("kubectl", () => {
  it("lists pods, Deployments, Services and DestinationRules", async () => {
    const text = await kubectl("get", "pods,deploy,svc,destinationrules", "-o", "wide");
    expect(text).toMatch(/pod\/user-service-\S+\s+2\/2\s+Running/);
    expect(text).toMatch(/deployment.apps\/user-service\s+4\/4\s+4\s+4/);
    expect(text).toMatch(/service\/post-service\s+ClusterIP/);
    expect(text).toMatch(/destinationrule.networking.istio.io\/\S+/);
    expect(text).toContain("NOMINATED NODE");
  });

  it("patches a Deployment, follows the rollout and undoes it", async () => {
    const image = () =>
      kubectl("get", "deploy/analytics", "-o", "jsonpath={.spec.template.metadata.labels.tested}");
    const patch = JSON.stringify({
      spec: { template: { metadata: { labels: { tested: "yes" } } } },
    });
    expect(await kubectl("patch", "deploy/analytics", "-p", patch)).toContain("patched");
    expect(await kubectl("rollout", "status", "deploy/analytics", "--timeout=50s")).toContain(
      "successfully rolled out",
    );
    expect(await image()).toBe("yes");
    const history = await kubectl("rollout", "history", "deploy/analytics");
    expect(history).toMatch(/^2\s/m);
    expect(await kubectl("rollout", "undo", "deploy/analytics")).toContain("rolled back");
    expect(await kubectl("rollout", "status", "deploy/analytics", "--timeout=50s")).toContain(
      "successfully rolled out",
    );
    expect(await image()).toBe("");
  }, 130_000);

  it("tells usage, logs and a description", async () => {
    const top = await until("usage is measured", () => kubectl("top", "pods"), 40_000);
    expect(top).toMatch(/user-service-\S+\s+\d+m\s+\d+Mi/);
    const name =
      (await kubectl("get", "pods", "-l", "app=user-service", "-o", "name")).split("\n")[0] ?? "";
    const logs = await kubectl("logs", name, "-c", "istio-proxy", "--tail=5");
    expect(logs.trim().split("\n").length).toBeGreaterThan(0);
    expect(logs).toContain("response_code");
    const described = await kubectl("describe", name);
    expect(described).toContain("istio-proxy");
    expect(described).toMatch(/Status:\s+Running/);
    expect(await kubectl("describe", "deploy/user-service")).toMatch(/4 desired/);
  }, 60_000);
});
