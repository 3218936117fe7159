/**
 * Prometheus's HTTP API as its OpenAPI file has it: every path and method of the file is asked of a running server, and
 * what comes back is validated against the schema the file gives for that status. What is not served is listed with why.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import { parse } from "yaml";
import { messageOf } from "@skopos/model";
import type { SuiteOutcome } from "../scripts/conformance.ts";
import { scratchDir, until } from "../test/demo/processes.ts";
import { pushSamples } from "../test/robust/pushes.ts";
import { freePort, query, serve, type Served } from "../test/robust/served.ts";
import { listenAsTarget } from "../test/robust/targets.ts";

/** Path → why the server does not have it. */
const notServed: Readonly<Record<string, string>> = {
  "/search/metric_names": "experimental upstream, off unless a feature flag is set",
  "/search/label_names": "experimental upstream, off unless a feature flag is set",
  "/search/label_values": "experimental upstream, off unless a feature flag is set",
  "/read": "answers protobuf, not JSON; tested with a real Prometheus that reads from here",
  "/write": "takes protobuf; tested with a real Prometheus that writes here",
  "/otlp/v1/metrics": "takes protobuf; tested with OpenTelemetry's exporters",
};

type Fields = Readonly<Record<string, string | readonly string[]>>;

interface Call {
  readonly fields?: Fields;
  /** Put into the path's placeholder. */
  readonly name?: string;
  readonly status?: number;
  /** What the schema cannot say; throws when it does not hold. */
  readonly check?: (data: never) => void;
}

const nowSeconds = () => Math.floor(Date.now() / 1000);
const window = () => ({ start: String(nowSeconds() - 60), end: String(nowSeconds()), step: "5s" });

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

const hasSome = (list: readonly unknown[]) => expect(list.length > 0, "the list is empty");
const bad = { status: 400 } as const;

/** By path; each is called with every method the file names for the path. */
const calls: Readonly<Record<string, () => readonly Call[]>> = {
  "/query": () =>
    [
      { fields: { query: "up", stats: "all", limit: "10", timeout: "10s", lookback_delta: "2m" } },
      { fields: { query: "1 + 1", time: new Date().toISOString() } },
      {
        fields: { query: "pushed[5m]" },
        check: ({ result }: { result: unknown[] }) => hasSome(result),
      },
      { fields: { query: "rate(up[1m])" } },
      { fields: { query: "sum((" }, ...bad },
      { fields: { query: "up", time: "yesterday" }, ...bad },
      {},
    ].map((call) => ("fields" in call ? call : { ...call, ...bad })),
  "/query_range": () => [
    {
      fields: { query: "up", ...window(), stats: "true" },
      check: ({ result }: { result: unknown[] }) => hasSome(result),
    },
    { fields: { query: "up[5m]", ...window() }, ...bad },
    { fields: { query: "up", ...window(), step: "0" }, ...bad },
    { fields: { query: "up", start: "1", end: "100000000", step: "1" }, ...bad },
  ],
  "/query_exemplars": () => [{ fields: { query: "up", ...window() } }, { fields: {}, ...bad }],
  "/format_query": () => [
    {
      fields: { query: "sum by(a)(up)" },
      check: (text: string) => expect(text === "sum by (a) (up)", `formatted as ${text}`),
    },
    { fields: { query: "sum by" }, ...bad },
  ],
  "/parse_query": () => [
    {
      fields: { query: "rate(up[5m]) * on (job) group_left (x) y" },
      check: ({ type }: { type: string }) => expect(type === "binaryExpr", `is a ${type}`),
    },
    { fields: { query: "up{" }, ...bad },
  ],
  "/labels": () => [
    { check: hasSome },
    { fields: { "match[]": ["up", "pushed"], limit: "2", ...window() }, check: hasSome },
    { fields: { "match[]": ["up{"] }, ...bad },
  ],
  "/label/{name}/values": () => [
    { name: "job", check: hasSome },
    { name: "U__dotted_2e_label", check: hasSome },
    { name: "job", fields: { "match[]": ["nothing"] } },
  ],
  "/series": () => [
    { fields: { "match[]": ["up", '{"pushed"}'] }, check: hasSome },
    { fields: { "match[]": ["up"], limit: "x" }, ...bad },
    bad,
  ],
  "/metadata": () => [{ fields: { limit: "5", metric: "scraped_total" }, check: hasKeys }, {}],
  "/scrape_pools": () => [
    { check: ({ scrapePools }: { scrapePools: string[] }) => hasSome(scrapePools) },
  ],
  "/scrape_pools/config": () => [
    { fields: { scrapePool: "api" } },
    { fields: { scrapePool: "nobody" }, status: 404 },
  ],
  "/targets": () => [
    { check: ({ activeTargets }: { activeTargets: unknown[] }) => hasSome(activeTargets) },
    {
      fields: { state: "dropped", scrapePool: "api" },
      check: ({ droppedTargets }: { droppedTargets: unknown[] }) => hasSome(droppedTargets),
    },
    { fields: { state: "active" } },
  ],
  "/targets/metadata": () => [
    { fields: { match_target: '{job="api"}', limit: "2" }, check: hasSome },
    { fields: { metric: "scraped_total" }, check: hasSome },
    { fields: { match_target: "{" }, ...bad },
  ],
  "/targets/relabel_steps": () => [
    {
      fields: { scrapePool: "api", labels: '{"__address__":"dropme:1"}' },
      check: ({ steps }: { steps: { keep: boolean }[] }) =>
        expect(steps.at(-1)?.keep === false, "the last step keeps the target"),
    },
    { fields: { scrapePool: "api", labels: "[]" }, ...bad },
  ],
  "/rules": () => [
    { check: ({ groups }: { groups: unknown[] }) => hasSome(groups) },
    {
      fields: {
        type: "alert",
        "rule_name[]": ["Up"],
        exclude_alerts: "true",
        "match[]": ['{a="b"}'],
      },
      check: ({ groups }: { groups: unknown[] }) => hasSome(groups),
    },
    { fields: { type: "record", "rule_group[]": ["one"], "file[]": ["none"] } },
    {
      fields: { group_limit: "1" },
      check: ({ groupNextToken }: { groupNextToken: string }) =>
        expect(typeof groupNextToken === "string", "there is no token for the next page"),
    },
    { fields: { group_limit: "1", group_next_token: "x" }, ...bad },
    { fields: { type: "x" }, ...bad },
  ],
  "/alerts": () => [{ check: ({ alerts }: { alerts: unknown[] }) => hasSome(alerts) }],
  "/alertmanagers": () => [{}],
  "/status/config": () => [
    {
      check: ({ yaml }: { yaml: string }) => {
        expect(yaml.includes("job_name: api"), "the job is not in the configuration");
        expect(!yaml.includes("hunter2"), "the configuration shows a secret");
      },
    },
  ],
  "/status/runtimeinfo": () => [{}],
  "/status/buildinfo": () => [{}],
  "/status/flags": () => [{}],
  "/status/tsdb": () => [
    {
      fields: { limit: "3" },
      check: ({ seriesCountByMetricName: top }: { seriesCountByMetricName: unknown[] }) =>
        expect(top.length === 3, `${top.length} metrics, not 3`),
    },
  ],
  "/status/tsdb/blocks": () => [{}],
  "/status/walreplay": () => [{}],
  "/status/self_metrics": () => [{ fields: { metric_name_pattern: "process_.*" }, check: hasSome }],
  "/admin/tsdb/delete_series": () => [
    { fields: { "match[]": ["nobody"], ...window() }, status: 204 },
    bad,
    { fields: { "match[]": ["up{"] }, ...bad },
  ],
  "/admin/tsdb/clean_tombstones": () => [{ status: 204 }],
  "/admin/tsdb/snapshot": () => [{ fields: { skip_head: "true" }, status: 406 }],
  "/notifications": () => [{}],
  "/features": () => [{ check: hasKeys }],
};

function hasKeys(value: object): void {
  hasSome(Object.keys(value));
}

interface Operation {
  readonly responses: Readonly<Record<string, { content?: unknown } | undefined>>;
}

interface Specification {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

class Validator {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #paths: Specification["paths"];

  constructor(specification: Specification) {
    // The package is CommonJS: its default export is the module.
    addFormatsModule.default(this.#ajv);
    this.#ajv.addSchema(specification, "openapi");
    this.#paths = specification.paths;
  }

  /** Throws with what is wrong. */
  check(where: string, method: string, status: number, body: unknown): void {
    const responses = this.#paths[where]?.[method]?.responses ?? {};
    const key = String(status) in responses ? String(status) : "default";
    const pointer = ["paths", where, method, "responses", key, "content", "application/json"]
      .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
      .join("/");
    const validate = this.#ajv.compile({ $ref: `openapi#/${pointer}/schema` });
    if (!validate(body)) throw new Error(this.#ajv.errorsText(validate.errors));
  }
}

async function ask(served: Served, where: string, method: string, call: Call): Promise<Response> {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(call.fields ?? {}))
    for (const each of typeof value === "string" ? [value] : value) fields.append(name, each);
  const url = `${served.url}/api/v1${where.replace("{name}", call.name ?? "")}`;
  const headers = served.headers;
  if (method === "get") return fetch(`${url}?${fields.toString()}`, { headers });
  return fetch(url, { method: method.toUpperCase(), headers, body: fields });
}

async function judge(
  served: Served,
  validator: Validator,
  where: string,
  method: string,
  call: Call,
): Promise<void> {
  const response = await ask(served, where, method, call);
  const text = await response.text();
  // Upstream too answers so where the file has a body with nothing in it.
  if (response.status === 204 && call.status === 204 && text === "") return;
  const body = JSON.parse(text) as { data?: unknown };
  const wanted = call.status ?? 200;
  if (response.status !== wanted) throw new Error(`answered ${response.status}: ${text}`);
  validator.check(where, method, response.status, body);
  call.check?.(body.data as never);
}

const rules = `
groups:
  - name: one
    interval: 1s
    rules:
      - {alert: Up, expr: up == 1, labels: {a: b}, annotations: {summary: "it is up"}}
      - {record: up:sum, expr: sum(up)}
  - name: two
    interval: 1s
    rules: [{alert: Never, expr: up == 7, for: 1m}]
`;

/** A server that scrapes a page, evaluates rules, and was pushed a series. */
async function startSubject(dir: string) {
  const target = await listenAsTarget(
    () => "# HELP scraped_total Things.\n# TYPE scraped_total counter\nscraped_total 3\n",
  );
  const scrapeConfig = JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [
      {
        job_name: "api",
        basic_auth: { username: "me", password: "hunter2" },
        static_configs: [{ targets: [target.address, "dropme:1"] }],
        relabel_configs: [{ source_labels: ["__address__"], regex: "dropme:1", action: "drop" }],
      },
    ],
  });
  const served = await serve({ dir, port: await freePort(), scrapeConfig, rules });
  const labels = { __name__: "pushed", "dotted.label": "x" };
  await pushSamples(served.url, [{ labels, samples: [{ timeMs: Date.now() - 1000, value: 1 }] }]);
  await until("a scrape", async () => (await query(served, "up:sum"))[0], 30_000);
  await until("an alert", async () => (await query(served, "ALERTS"))[0], 30_000);
  return {
    served,
    async stop() {
      await served.running.stop();
      await target.close();
    },
  };
}

/** `dir` holds `prometheus-api/openapi.yaml`. Needs the built program. */
export async function run(dir: string): Promise<SuiteOutcome> {
  const file = path.join(dir, "prometheus-api", "openapi.yaml");
  const specification = parse(readFileSync(file, "utf8")) as Specification;
  const validator = new Validator(specification);
  const scratch = scratchDir();
  const subject = await startSubject(scratch.dir);
  const outcome: SuiteOutcome = { passed: 0, failures: [], skipped: {} };
  try {
    for (const [where, operations] of Object.entries(specification.paths)) {
      const reason = notServed[where];
      if (reason !== undefined) outcome.skipped[where] = reason;
      const list = calls[where]?.() ?? [];
      if (reason === undefined && list.length === 0)
        outcome.failures.push(`${where}: neither asked for nor listed as not served`);
      for (const method of Object.keys(operations))
        for (const call of list) {
          try {
            await judge(subject.served, validator, where, method, call);
            outcome.passed++;
          } catch (error) {
            const what = JSON.stringify(call.fields ?? {});
            outcome.failures.push(`${method} ${where} ${what}: ${messageOf(error)}`);
          }
        }
    }
  } finally {
    await subject.stop();
    scratch.remove();
  }
  return outcome;
}
