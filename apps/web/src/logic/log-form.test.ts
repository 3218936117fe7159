import { describe, expect, it } from "vitest";
import { defaultLogQuery, everyStream, readLogForm, withLabel, writeLogForm } from "./log-form.ts";

describe("chips of a log query", () => {
  it("survive a round trip, quotes and braces included", () => {
    for (const form of [
      { labels: [], contains: [] },
      {
        labels: [["app", 'a"}b'] as const, ["pod", "x,y"] as const],
        contains: ['say "no"', "{a}"],
      },
    ])
      expect(readLogForm(writeLogForm(form))).toEqual(form);
  });

  it("read what people type", () => {
    expect(readLogForm('{ app = "x",pod=`y` } |= `boom`')).toEqual({
      labels: [
        ["app", "x"],
        ["pod", "y"],
      ],
      contains: ["boom"],
    });
  });

  it.each(['{app=~"x"}', '{app="x"} | json', 'rate({app="x"}[1m])', "{app=", '{app="x"} != "y"'])(
    "leave %s as text",
    (query) => expect(readLogForm(query)).toBeNull(),
  );

  it("narrow a query, replacing the same label", () => {
    expect(withLabel('{app="x"} |= "e"', "app", "y")).toBe('{app="y"} |= "e"');
    expect(withLabel(everyStream, "pod", "p")).toBe('{pod="p"}');
    expect(withLabel("rate(x)", "a", "b")).toBeNull();
  });

  it("begin with the namespace in scope", () => {
    expect(defaultLogQuery("shop")).toBe('{namespace="shop"}');
    expect(defaultLogQuery(undefined)).toBe(everyStream);
  });
});
