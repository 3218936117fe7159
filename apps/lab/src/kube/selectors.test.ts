import { describe, expect, it } from "vitest";
import {
  formatLabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  selectorOf,
  selects,
  selectsFields,
} from "./selectors.ts";

const labels = { app: "cart", version: "v2", weight: "30" };

describe("label selectors", () => {
  const cases: [selector: string, selected: boolean][] = [
    ["", true],
    ["app=cart", true],
    ["app==cart,version!=v1", true],
    ["app!=cart", false],
    ["missing!=x", true],
    ["version in (v1, v2)", true],
    ["version notin (v1,v2),app", false],
    ["app,!missing", true],
    ["!app", false],
    ["weight>20,weight<40", true],
    ["weight > 30", false],
  ];
  for (const [selector, selected] of cases) {
    it(`${JSON.stringify(selector)} ${selected ? "selects" : "leaves out"}`, () => {
      expect(selects(parseLabelSelector(selector), labels)).toBe(selected);
    });
  }

  it("refuses what is no selector", () => {
    expect(() => parseLabelSelector("a b")).toThrow(/unable to parse requirement/);
    expect(() => parseLabelSelector("=x")).toThrow();
  });

  it("reads and writes selector objects", () => {
    const selector = {
      matchLabels: { app: "cart" },
      matchExpressions: [
        { key: "version", operator: "In", values: ["v1", "v2"] },
        { key: "old", operator: "DoesNotExist" },
      ],
    };
    expect(selects(selectorOf(selector), labels)).toBe(true);
    expect(formatLabelSelector(selector)).toBe("app=cart,version in (v1,v2),!old");
  });
});

function selectsPod(text: string): boolean {
  const pod = { metadata: { name: "a", namespace: "n" }, status: { phase: "Running" } };
  return selectsFields(parseFieldSelector(text, "Pod"), pod);
}

describe("field selectors", () => {
  it("compares fields as text, absent ones as empty", () => {
    expect(selectsPod("metadata.name=a,status.phase!=Failed")).toBe(true);
    expect(selectsPod("spec.nodeName=")).toBe(true);
    expect(selectsPod("status.phase=Pending")).toBe(false);
  });

  it("refuses fields that a kind cannot be selected by", () => {
    expect(() => parseFieldSelector("spec.containers=x", "Pod")).toThrow(
      "field label not supported: spec.containers",
    );
    expect(() => parseFieldSelector("status.phase=x", "ConfigMap")).toThrow();
  });
});
