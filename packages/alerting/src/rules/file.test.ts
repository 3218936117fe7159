import { describe, expect, it } from "vitest";
import { parseRuleFile } from "./file.ts";

const group = (rule: string) => `groups:\n- name: g\n  rules:\n  - ${rule}\n`;

describe("a rule file", () => {
  it("is read with every setting", () => {
    const [read] = parseRuleFile(
      `
groups:
- name: web
  interval: 30s
  query_offset: 1m
  limit: 5
  labels: {team: a, tier: one}
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up == 0
    for: 5m
    keep_firing_for: 1m
    labels: {team: b, code: 500}
    annotations: {summary: "{{ $labels.job }}"}
`,
      "web.yaml",
    );
    expect(read).toEqual({
      name: "web",
      file: "web.yaml",
      intervalMs: 30_000,
      queryOffsetMs: 60_000,
      limit: 5,
      labels: { team: "a", tier: "one" },
      rules: [
        {
          kind: "record",
          name: "job:up:sum",
          expr: "sum by (job) (up)",
          labels: { team: "a", tier: "one" },
        },
        {
          kind: "alert",
          name: "Down",
          expr: "up == 0",
          forMs: 300_000,
          keepFiringForMs: 60_000,
          labels: { team: "b", tier: "one", code: "500" },
          annotations: { summary: "{{ $labels.job }}" },
        },
      ],
    });
  });

  it("may be empty", () => {
    expect(parseRuleFile("", "f")).toEqual([]);
    expect(parseRuleFile("groups:\n", "f")).toEqual([]);
  });

  it.each([
    ["groups: [", /^f:\d+:\d+: /],
    ["group: []", /^f:1:1: a rule file has no setting "group": groups$/],
    ["groups:\n- interval: 1m\n", /^f:2:3: a group needs a name$/],
    ["groups:\n- {name: a}\n- {name: a}\n", /two groups are called "a"/],
    [
      group("{alert: A, expr: up, for: 5 minutes}"),
      /^f:4:31: group "g", alert "A": for: not a duration: "5 minutes"/,
    ],
    [
      group("{alert: A, expr: 'sum(up'}"),
      /^f:4:22: group "g", alert "A": expr: 1:\d+: parse error: /,
    ],
    [group("{alert: A}"), /^f:4:5: group "g", alert "A": a rule needs an expr$/],
    [
      group("{alert: A, record: b, expr: up}"),
      /^f:4:5: group "g", rule 1: a rule has either record or alert$/,
    ],
    [group("{record: b, expr: up, for: 1m}"), /a recording rule has no for$/],
    [group("{record: 'a b', expr: up}"), /record must be the name of a metric$/],
    [
      group("{alert: A, expr: up, lables: {}}"),
      /^f:4:26: group "g", rule 1: a rule has no setting "lables"/,
    ],
    [group("{alert: A, expr: up, labels: {a-b: c}}"), /"a-b" cannot be used in labels$/],
    [
      group("{alert: A, expr: up, annotations: {s: '{{ nope }}'}}"),
      /annotations\.s: template line 1: function "nope" not defined$/,
    ],
    [
      group("{alert: A, expr: up, annotations: text}"),
      /annotations must be a mapping of names to texts$/,
    ],
  ])("that is wrong is refused with its place: %j", (text, message) => {
    expect(() => parseRuleFile(text, "f")).toThrow(message);
  });
});
