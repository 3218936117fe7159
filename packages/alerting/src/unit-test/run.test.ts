/** Verdicts on unit tests of rules, each also asked of the real promtool where there is one. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runRuleTests } from "./run.ts";
import { parseRuleTestFile } from "./test-file.ts";

const rules = `
groups:
  - name: first
    interval: 30s
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
      - alert: Errors
        expr: job:errors:rate5m > 0.5
        for: 5m
        keep_firing_for: 2m
        labels: {severity: page, cluster: '{{ $externalLabels.cluster }}'}
        annotations:
          summary: '{{ $labels.job }} fails {{ $value | printf "%.1f" }} times a second'
      - alert: Gone
        expr: absent(up{job="web"})
  - name: second
    rules:
      - record: job:errors:double
        expr: job:errors:rate5m * 2
`;

const head = `
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    external_labels: {cluster: east}
    input_series:
      - {series: 'errors_total{job="web"}', values: '0+60x20'}
      - {series: 'up{job="web"}', values: '1x10 _x5 stale 1x4'}
`;

const passing: Readonly<Record<string, string>> = {
  "an alert that fires after its time, with labels and annotations": `
    alert_rule_test:
      - eval_time: 4m
        alertname: Errors
      - eval_time: 10m
        alertname: Errors
        exp_alerts:
          - exp_labels: {job: web, severity: page, cluster: east}
            exp_annotations: {summary: web fails 1.0 times a second}`,
  "a time between two evaluations sees the one before": `
    alert_rule_test:
      - eval_time: 10m59s
        alertname: Errors
        exp_alerts:
          - exp_labels: {job: web, severity: page, cluster: east}
            exp_annotations: {summary: web fails 1.0 times a second}`,
  "an alert without labels": `
    alert_rule_test:
      - eval_time: 16m
        alertname: Gone
        exp_alerts: [{exp_labels: {job: web}}]`,
  "recorded series and those of alerts": `
    promql_expr_test:
      - expr: job:errors:rate5m
        eval_time: 10m
        exp_samples: [{labels: 'job:errors:rate5m{job="web"}', value: 1}]
      - expr: job:errors:double
        eval_time: 10m
        exp_samples: [{labels: 'job:errors:double{job="web"}', value: 2}]
      - expr: ALERTS{alertstate="firing"}
        eval_time: 10m
        exp_samples:
          - {labels: 'ALERTS{alertname="Errors", alertstate="firing", job="web", severity="page", cluster="east"}', value: 1}
      - expr: 1 + 1
        exp_samples: [{value: 2}]
      - expr: nothing_there
        eval_time: 3m`,
};

const failing: Readonly<Record<string, string>> = {
  "an alert that is only pending": `
    alert_rule_test:
      - eval_time: 4m
        alertname: Errors
        exp_alerts: [{exp_labels: {job: web, severity: page, cluster: east}}]`,
  "an annotation that differs": `
    alert_rule_test:
      - eval_time: 8m
        alertname: Errors
        exp_alerts:
          - exp_labels: {job: web, severity: page, cluster: east}
            exp_annotations: {summary: something else}`,
  "an alert that nobody expected": `
    alert_rule_test:
      - eval_time: 8m
        alertname: Errors`,
  "a value a little off": `
    promql_expr_test:
      - expr: job:errors:rate5m
        eval_time: 10m
        exp_samples: [{labels: 'job:errors:rate5m{job="web"}', value: 1.0001}]`,
  "a series too many": `
    promql_expr_test:
      - expr: up
        eval_time: 5m`,
  "an expression that does not parse": `
    promql_expr_test:
      - expr: sum(
        eval_time: 5m`,
};

const promtool = process.env["SKOPOS_PROMTOOL"];
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "skopos-rules-"));
  await writeFile(path.join(dir, "rules.yaml"), rules);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function passes(text: string): Promise<boolean> {
  const tests = parseRuleTestFile(text, "test.yaml");
  const outcomes = await runRuleTests(tests, [{ file: "rules.yaml", text: rules }]);
  expect(outcomes).toHaveLength(1);
  return outcomes.every(({ failures }) => failures.length === 0);
}

async function passesPromtool(text: string): Promise<boolean> {
  const file = path.join(dir, "test.yaml");
  await writeFile(file, text);
  return new Promise((resolve) => {
    execFile(promtool ?? "", ["test", "rules", file], (error) => resolve(error === null));
  });
}

describe("unit tests of rules", () => {
  it.each(Object.entries(passing))("pass: %s", async (_, body) => {
    expect(await passes(head + body)).toBe(true);
    if (promtool) expect(await passesPromtool(head + body)).toBe(true);
  });

  it.each(Object.entries(failing))("fail: %s", async (_, body) => {
    expect(await passes(head + body)).toBe(false);
    if (promtool) expect(await passesPromtool(head + body)).toBe(false);
  });

  it("evaluate groups in the order that the file asks for", async () => {
    const late = `${head}
    promql_expr_test:
      - expr: count(job:errors:double)
        eval_time: 1m
        exp_samples: [{value: 1}]`;
    // Without an order, promtool takes the groups as Go's maps come: at random.
    const inOrder = (groups: string) =>
      late.replace("tests:", `group_eval_order: ${groups}\ntests:`);
    const [straight, reversed] = [inOrder("[first, second]"), inOrder("[second, first]")];
    const seen = [await passes(straight), await passes(reversed)];
    expect(seen).toEqual([true, false]);
    if (promtool)
      expect([await passesPromtool(straight), await passesPromtool(reversed)]).toEqual(seen);
  });

  it("say where a test file is wrong", () => {
    const parse = () => parseRuleTestFile("tests:\n  - alert_rule_tests: []\n", "t.yaml");
    expect(parse).toThrow(/t\.yaml:2:\d+: tests\.0: .*alert_rule_tests/);
  });

  it("stop at a rule that fails, and name it", async () => {
    const broken = rules.replace("job:errors:rate5m * 2", "errors_total + on() group_left() up");
    const tests = parseRuleTestFile(
      `${head}      - {series: 'up{job="db"}', values: '1x10'}\n`,
      "t",
    );
    const [outcome] = await runRuleTests(tests, [{ file: "rules.yaml", text: broken }]);
    expect(outcome?.failures.join()).toMatch(
      /rule: job:errors:double, time: 0s, err: .*many-to-many/,
    );
  });
});
