import { describe, expect, it } from "vitest";
import {
  defaultLogQuery,
  everyStream,
  readLogForm,
  streamQuery,
  withLabel,
  withPattern,
  writeLogForm,
} from "./log-form.ts";

describe("chips of a log query", () => {
  it("survive a round trip, quotes and braces included", () => {
    for (const form of [
      { labels: [], contains: [], like: ['GET <_> "503"'] },
      {
        labels: [["app", 'a"}b'] as const, ["pod", "x,y"] as const],
        contains: ['say "no"', "{a}"],
        like: [],
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
      like: [],
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

  it("narrow any query to a pattern, one at a time", () => {
    expect(withPattern('{app="x"} |= "a"', "{<_>503<_>}")).toBe('{app="x"} |> "{<_>503<_>}"');
    expect(withPattern('{app="x"}', "GET <_> answered <_>")).toBe(
      '{app="x"} |= "GET" |= "answered"',
    );
    expect(withPattern('{app="x"} | json ', "no user")).toBe('{app="x"} | json |= "no user"');
  });

  it("select one stream by all its labels", () => {
    expect(streamQuery({ app: 'a"b', pod: "p" })).toBe('{app="a\\"b", pod="p"}');
  });

  it("begin with the namespace in scope", () => {
    expect(defaultLogQuery("shop")).toBe('{namespace="shop"}');
    expect(defaultLogQuery(undefined)).toBe(everyStream);
  });
});
