import { FakeClock } from "@skopos/testkit";
import { expect, it } from "vitest";
import { RuleLab } from "../testing/rule-lab.ts";
import { parseRuleFile } from "./file.ts";

const up = { __name__: "broken", service: "cart" };
const bad = (times: number) => Array.from({ length: times }, () => 1);

function rules(expr: string, more = ""): string {
  return `
groups:
- name: g
  interval: 10s
  rules:
  - {alert: Broken, expr: "${expr}", for: 30s}
  - {record: recorded, expr: broken}
${more}`;
}

const other = `- name: other
  interval: 10s
  rules: [{alert: Broken, expr: "broken > 0", labels: {team: a}}]
`;
const replace = async (lab: RuleLab, text: string) =>
  lab.runner.replace(parseRuleFile(text, "rules.yaml"));

it("a group that stays goes on undisturbed, its pending alerts too", async () => {
  const lab = new RuleLab(rules("broken > 0"), new FakeClock());
  await lab.feed(up, 10_000, bad(2));
  await replace(lab, rules("broken > 0", other));
  await lab.feed(up, 10_000, bad(2));
  expect(lab.transitions).toContain('Broken{service="cart"} pending→firing');
  expect(lab.transitions).toContain('Broken{service="cart", team="a"} inactive→firing');
});

it("a rule whose expression changed keeps its alerts", async () => {
  const lab = new RuleLab(rules("broken > 0"), new FakeClock());
  await lab.feed(up, 10_000, bad(5));
  expect(lab.states()).toEqual(["firing"]);
  await replace(lab, rules("broken > 0.5"));
  await lab.feed(up, 10_000, bad(2));
  expect(lab.states()).toEqual(["firing"]);
  expect(lab.transitions.filter((text) => text.endsWith("→firing"))).toHaveLength(1);
});

it("a group that is gone resolves its alerts and ends its series", async () => {
  const lab = new RuleLab(rules("broken > 0", other), new FakeClock());
  await lab.feed(up, 10_000, bad(5));
  expect(await lab.query("recorded")).toEqual({ 'recorded{service="cart"}': 1 });
  await replace(lab, "groups: []");
  expect(lab.transitions.filter((text) => text.endsWith("firing→resolved"))).toHaveLength(2);
  expect(lab.sent.at(-1)?.alerts[0]?.state).toBe("resolved");
  await lab.clock.advance(1000);
  expect(await lab.query("recorded")).toEqual({});
  expect(lab.runner.status()).toEqual([]);
});
