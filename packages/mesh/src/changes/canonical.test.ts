import { describe, expect, it } from "vitest";
import { yamlOf } from "./canonical.ts";
import { unifiedDiff } from "./diff.ts";

const object = (spec: unknown) => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "a" },
  spec,
});

describe("objects as text", () => {
  it("follow the order of what they are compared with, so that a diff shows changes only", () => {
    const before = object({
      b: 1,
      list: [
        { name: "x", v: 1 },
        { name: "y", v: 2 },
      ],
      a: { d: 1, c: 2 },
    });
    const after = object({
      a: { c: 2, d: 1 },
      list: [
        { v: 1, name: "x" },
        { v: 3, name: "y" },
      ],
      b: 1,
      fresh: true,
    });
    const diff = unifiedDiff(yamlOf(before), yamlOf(after, before), {
      before: "before",
      after: "after",
    });
    const changed = diff
      .split("\n")
      .filter((line) => /^[-+] /.test(line))
      .map((line) => line.replace(/\s+/g, " "));
    expect(changed).toEqual(["- v: 2", "+ v: 3", "+ fresh: true"]);
  });

  it("hide what is named like a secret", () => {
    expect(yamlOf(object({ env: [{ name: "DB_PASSWORD", value: "x1" }] }))).not.toContain("x1");
  });
});
