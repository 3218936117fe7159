import { FakeClock } from "@skopos/testkit";
import { describe, expect, it } from "vitest";
import { RuleLab } from "../testing/rule-lab.ts";
import type { RuleRunnerOptions } from "./runner.ts";

function ruleLab(text: string, options: Partial<RuleRunnerOptions> = {}): RuleLab {
  return new RuleLab(text, new FakeClock(), options);
}

const up = { __name__: "broken", service: "cart" };

function rules(settings = "", groupSettings = ""): string {
  return `
groups:
- name: g
  interval: 10s
${groupSettings}
  rules:
  - alert: Broken
    expr: broken > 0
${settings}
`;
}

/** Series at 10 s, as the group evaluates. */
const bad = (times: number) => Array.from({ length: times }, () => 1);
const good = (times: number) => Array.from({ length: times }, () => 0);
const changes = (lab: RuleLab) => lab.transitions.map((text) => text.replace(/^.* /, ""));

describe("an alerting rule", () => {
  it("without for fires at once and resolves when the result is gone", async () => {
    const lab = ruleLab(rules());
    await lab.feed(up, 10_000, [...good(2), ...bad(2), ...good(2)]);
    expect(lab.transitions).toEqual([
      'Broken{service="cart"} inactive→firing',
      'Broken{service="cart"} firing→resolved',
    ]);
  });

  it("is pending until its result lasted for the whole of for", async () => {
    const lab = ruleLab(rules("    for: 30s"));
    await lab.feed(up, 10_000, bad(3));
    expect(changes(lab)).toEqual(["inactive→pending"]);
    await lab.feed(up, 10_000, bad(1));
    expect(changes(lab)).toEqual(["inactive→pending", "pending→firing"]);
  });

  it("starts its for afresh after a gap", async () => {
    const lab = ruleLab(rules("    for: 30s"));
    await lab.feed(up, 10_000, [...bad(3), ...good(1), ...bad(3)]);
    expect(changes(lab)).toEqual(["inactive→pending", "pending→inactive", "inactive→pending"]);
  });

  it("with keep_firing_for stays firing over a gap shorter than that", async () => {
    const lab = ruleLab(rules("    keep_firing_for: 30s"));
    await lab.feed(up, 10_000, [...bad(1), ...good(2)]);
    expect(lab.runner.alerts()[0]).toMatchObject({ state: "firing", kept: true });
    await lab.feed(up, 10_000, [...bad(1), ...good(3)]);
    expect(changes(lab)).toEqual(["inactive→firing"]);
    await lab.feed(up, 10_000, good(1));
    expect(changes(lab)).toEqual(["inactive→firing", "firing→resolved"]);
  });

  it("forgets a resolved alert after 15 minutes and one that is back starts anew", async () => {
    const lab = ruleLab(rules());
    await lab.feed(up, 10_000, [...bad(1), ...good(90)]);
    expect(lab.states()).toEqual(["resolved"]);
    await lab.feed(up, 10_000, good(2));
    expect(lab.states()).toEqual([]);
    await lab.feed(up, 10_000, bad(1));
    expect(lab.states()).toEqual(["firing"]);
  });

  it("over the group's limit has all of its alerts discarded and says so", async () => {
    const lab = ruleLab(rules("", "  limit: 1"));
    await lab.feed(up, 10_000, bad(2));
    expect(lab.states()).toEqual(["firing"]);
    const other = { ...up, service: "shop" };
    await Promise.all([lab.feed(up, 10_000, bad(1)), lab.feed(other, 0, bad(1))]);
    expect(lab.states()).toEqual([]);
    expect(lab.runner.status()[0]?.rules[0]).toMatchObject({
      health: "err",
      lastError: "exceeded limit of 1 with 2 alerts",
    });
  });

  it("takes its labels and annotations from templates, own labels before the result's", async () => {
    const lab = ruleLab(
      rules(
        [
          "    labels: {severity: page, team: 'team-{{ $labels.service }}'}",
          "    annotations: {summary: '{{ $labels.service }}: {{ $value | humanizePercentage }}', bad: '{{ .Value.Deep }}'}",
        ].join("\n"),
        "  labels: {severity: ticket, tier: one}",
      ),
    );
    await lab.feed(up, 10_000, bad(1));
    expect(lab.runner.alerts()[0]).toMatchObject({
      labels: {
        alertname: "Broken",
        service: "cart",
        severity: "page",
        team: "team-cart",
        tier: "one",
      },
      annotations: {
        summary: "cart: 100%",
        bad: "<error expanding template: can't evaluate field Deep in 1>",
      },
      value: 1,
    });
  });
});

describe("ALERTS", () => {
  it("follow the state and go stale with it", async () => {
    const lab = ruleLab(rules("    for: 20s"));
    await lab.feed(up, 10_000, [...good(2), ...bad(2)]);
    expect(await lab.query("ALERTS")).toEqual({
      'ALERTS{alertname="Broken", alertstate="pending", service="cart"}': 1,
    });
    const startedS = Math.floor(lab.runner.alerts()[0]!.activeAtMs / 1000);
    expect(await lab.query("ALERTS_FOR_STATE")).toEqual({
      'ALERTS_FOR_STATE{alertname="Broken", service="cart"}': startedS,
    });
    await lab.feed(up, 10_000, bad(2));
    expect(Object.keys(await lab.query("ALERTS"))).toEqual([
      'ALERTS{alertname="Broken", alertstate="firing", service="cart"}',
    ]);
    await lab.feed(up, 10_000, good(2));
    expect(await lab.query("ALERTS")).toEqual({});
  });
});

describe("when data is missing", () => {
  const rate = `
groups:
- name: g
  interval: 10s
  rules:
  - alert: Errors
    expr: sum by (service) (rate(errors_total[1m])) > 0.5
  - alert: Gauge
    expr: pressure > 0
`;
  const errors = { __name__: "errors_total", service: "cart" };
  const pressure = { __name__: "pressure", service: "cart" };

  it("a missed scrape resolves an alert on a plain gauge, as in Prometheus, but not one on a rate", async () => {
    const lab = ruleLab(rate);
    for (let i = 0; i < 12; i++) {
      // A failed scrape writes staleness markers.
      const missed = i === 10;
      await Promise.all([
        lab.feed(errors, 10_000, [missed ? "stale" : i * 10]),
        lab.feed(pressure, 0, [missed ? "stale" : 1]),
      ]);
    }
    expect(lab.transitions.filter((text) => text.startsWith("Errors"))).toEqual([
      'Errors{service="cart"} inactive→firing',
    ]);
    expect(lab.transitions.filter((text) => text.startsWith("Gauge"))).toEqual([
      'Gauge{service="cart"} inactive→firing',
      'Gauge{service="cart"} firing→resolved',
      'Gauge{service="cart"} inactive→firing',
    ]);
  });

  it("no data is no alert: a comparison with zero does not hold for what is absent", async () => {
    const lab = ruleLab(rules().replace("broken > 0", "broken == 0"));
    await lab.clock.advance(60_000);
    expect(lab.transitions).toEqual([]);
    expect(lab.runner.status()[0]?.rules[0]?.health).toBe("ok");
  });

  it("a failed evaluation keeps the alerts as they are and is reported", async () => {
    let failing = false;
    const inner = ruleLab(rules());
    const lab: RuleLab = ruleLab(rules("    for: 30s"), {
      engine: {
        range: (query) => inner.engine.range(query),
        instant: (query) =>
          failing ? Promise.reject(new Error("the head is busy")) : lab.engine.instant(query),
      },
    });
    await lab.feed(up, 10_000, bad(2));
    failing = true;
    await lab.feed(up, 10_000, bad(2));
    expect(lab.states()).toEqual(["pending"]);
    expect(lab.runner.status()[0]?.rules[0]).toMatchObject({
      health: "err",
      lastError: "the head is busy",
    });
    failing = false;
    await lab.feed(up, 10_000, bad(1));
    expect(lab.states()).toEqual(["firing"]);
    await inner.runner.stop();
  });
});

describe("telling others", () => {
  it("repeats firing alerts each minute and tells a resolved one", async () => {
    const lab = ruleLab(rules());
    await lab.feed(up, 10_000, [...bad(13), ...good(8)]);
    const told = lab.sent.map(({ timeMs, alerts }) => [
      Math.round((timeMs - (lab.sent[0]?.timeMs ?? 0)) / 1000),
      alerts[0]?.state,
    ]);
    expect(told).toEqual([
      [0, "firing"],
      [60, "firing"],
      [120, "firing"],
      [130, "resolved"],
      [190, "resolved"],
    ]);
  });
});

describe("recording rules", () => {
  it("write their series in order, with labels, and staleness when the result goes", async () => {
    const lab = ruleLab(`
groups:
- name: g
  interval: 10s
  rules:
  - record: service:broken:sum
    expr: sum by (service) (broken)
    labels: {kind: test}
  - record: all:broken:sum
    expr: sum(service:broken:sum)
`);
    await lab.feed(up, 10_000, [1, 2]);
    expect(await lab.query('{__name__=~".+:sum"}')).toEqual({
      'service:broken:sum{kind="test", service="cart"}': 2,
      "all:broken:sum": 2,
    });
    await lab.feed(up, 10_000, ["stale", undefined]);
    expect(await lab.query('{__name__=~".+:sum"}')).toEqual({});
  });

  it("that collide after labelling are an error and write nothing", async () => {
    const lab = ruleLab(`
groups:
- name: g
  interval: 10s
  rules: [{record: r, expr: broken, labels: {service: same}}]
`);
    await Promise.all([lab.feed(up, 10_000, [1]), lab.feed({ ...up, service: "shop" }, 0, [1])]);
    expect(lab.runner.status()[0]?.rules[0]?.lastError).toMatch(/same labelset/);
    expect(await lab.query("r")).toEqual({});
  });
});

describe("a restart", () => {
  it("keeps an alert that was firing, with its start, without waiting for again", async () => {
    const text = rules("    for: 30s");
    const lab = ruleLab(text);
    await lab.feed(up, 10_000, bad(8));
    const before = lab.runner.alerts()[0];
    expect(before?.state).toBe("firing");
    await lab.restart(text, 60_000);
    lab.transitions.length = 0;
    await lab.feed(up, 10_000, bad(3));
    expect(lab.runner.alerts()[0]).toMatchObject({
      state: "firing",
      fingerprint: before?.fingerprint,
      activeAtMs: Math.floor((before?.activeAtMs ?? 0) / 1000) * 1000,
    });
    expect(changes(lab)).toEqual(["inactive→pending", "pending→firing"]);
  });

  it("lets a long for go on where it was, less the time that was down", async () => {
    const text = rules("    for: 30m");
    const lab = ruleLab(text);
    await lab.feed(up, 10_000, bad(60));
    const before = lab.runner.alerts()[0]?.activeAtMs ?? 0;
    await lab.restart(text, 60_000);
    await lab.feed(up, 10_000, bad(3));
    const now = lab.runner.alerts()[0]?.activeAtMs ?? 0;
    // One minute down, and the time until the second evaluation.
    expect(now - before).toBeGreaterThanOrEqual(60_000);
    expect(now - before).toBeLessThanOrEqual(100_000);
  });

  it("does not take up an alert that had ended before", async () => {
    const text = rules("    for: 30m");
    const lab = ruleLab(text);
    await lab.feed(up, 10_000, [...bad(30), ...good(30)]);
    await lab.restart(text, 60_000);
    const startMs = lab.clock.nowMs();
    await lab.feed(up, 10_000, bad(4));
    expect(lab.runner.alerts()[0]?.activeAtMs).toBeGreaterThanOrEqual(startMs);
  });
});

it("counts iterations that fall out when an evaluation takes longer than the interval", async () => {
  const lab: RuleLab = ruleLab(rules(), {
    engine: {
      range: (query) => lab.engine.range(query),
      instant: async (query) => {
        await new Promise<void>((resolve) => {
          lab.clock.after(35_000, resolve);
        });
        return lab.engine.instant(query);
      },
    },
  });
  await lab.clock.advance(60_000);
  expect(lab.runner.status()[0]?.missedIterations).toBeGreaterThanOrEqual(2);
});

it("status is plain data that can cross threads", async () => {
  const lab = ruleLab(rules("    annotations: {summary: x}"));
  await lab.feed(up, 10_000, bad(2));
  const status = lab.runner.status();
  expect(structuredClone(status)).toEqual(status);
  expect(status[0]?.rules[0]).toMatchObject({ kind: "alert", state: "firing", health: "ok" });
});
