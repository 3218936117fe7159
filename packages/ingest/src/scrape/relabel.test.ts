import { LabelSet } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { compileRelabeling, relabelDefaults, type RelabelRule } from "./relabel.ts";

const labels = { a: "foo", b: "bar", c: "baz" };

function apply(rule: Partial<RelabelRule>, input: Record<string, string> = labels) {
  const result = compileRelabeling([{ ...relabelDefaults, ...rule }]).apply(
    LabelSet.fromMap(input),
  );
  return result?.toMap();
}

describe("relabelling", () => {
  it.each<[string, Partial<RelabelRule>, Record<string, string> | undefined]>([
    [
      "replace joins source labels and expands groups",
      { sourceLabels: ["a", "b"], regex: "f(.*);(.*)r", targetLabel: "d", replacement: "${1}-$2" },
      { ...labels, d: "oo-ba" },
    ],
    [
      "replace is anchored",
      { sourceLabels: ["a"], regex: "o", targetLabel: "d", replacement: "x" },
      labels,
    ],
    [
      "replace with nothing removes the target",
      { sourceLabels: ["a"], targetLabel: "b", replacement: "" },
      { a: "foo", c: "baz" },
    ],
    [
      "replace expands the target's name",
      { sourceLabels: ["a"], regex: "(f).*", targetLabel: "x_$1", replacement: "y" },
      { ...labels, x_f: "y" },
    ],
    [
      "an unknown group expands to nothing, $$ to a dollar",
      { sourceLabels: ["a"], targetLabel: "d", replacement: "$1x[$9]$$" },
      { ...labels, d: "[]$" },
    ],
    [
      "named groups expand",
      { sourceLabels: ["a"], regex: "(?P<first>.).*", targetLabel: "d", replacement: "${first}" },
      { ...labels, d: "f" },
    ],
    ["keep keeps what matches", { action: "keep", sourceLabels: ["a"], regex: "foo|x" }, labels],
    ["keep drops the rest", { action: "keep", sourceLabels: ["a"], regex: "fo" }, undefined],
    ["drop drops what matches", { action: "drop", sourceLabels: ["a"], regex: "f.*" }, undefined],
    [
      "keepequal compares with the target",
      { action: "keepequal", sourceLabels: ["a"], targetLabel: "b" },
      undefined,
    ],
    ["dropequal too", { action: "dropequal", sourceLabels: ["a"], targetLabel: "b" }, labels],
    [
      "labelmap copies to new names",
      { action: "labelmap", regex: "([ab])", replacement: "x_${1}" },
      { ...labels, x_a: "foo", x_b: "bar" },
    ],
    [
      "labelmap does not map what it made",
      { action: "labelmap", regex: "(.*)", replacement: "x$1" },
      { ...labels, xa: "foo", xb: "bar", xc: "baz" },
    ],
    ["labeldrop", { action: "labeldrop", regex: "a|b" }, { c: "baz" }],
    ["labelkeep", { action: "labelkeep", regex: "a|b" }, { a: "foo", b: "bar" }],
    [
      "uppercase",
      { action: "uppercase", sourceLabels: ["a"], targetLabel: "a" },
      { ...labels, a: "FOO" },
    ],
    // Prometheus' own test has hashmod of "foo" modulo 1000 = 976.
    [
      "hashmod",
      { action: "hashmod", sourceLabels: ["c"], targetLabel: "d", modulus: 1000n },
      { ...labels, d: "976" },
    ],
  ])("%s", (_, rule, expected) => {
    expect(apply(rule)).toEqual(expected);
  });

  it("runs rules in order until one drops", () => {
    const rules = compileRelabeling([
      { ...relabelDefaults, sourceLabels: ["a"], targetLabel: "d", replacement: "x" },
      { ...relabelDefaults, action: "drop", sourceLabels: ["d"], regex: "x" },
    ]);
    expect(rules.apply(LabelSet.fromMap(labels))).toBeUndefined();
  });
});
