import { describe, expect, it } from "vitest";
import {
  defaultLogQuery,
  everyStream,
  ofStreams,
  readLogForm,
  shownPattern,
  streamQuery,
  withLabel,
  writeLogForm,
} from "./log-form.ts";

const nothing = { labels: [], contains: [], like: [], matches: [], fields: [] };

describe("chips of a log query", () => {
  it("survive a round trip, quotes and braces included", () => {
    for (const form of [
      {
        ...nothing,
        like: [
          { pattern: 'GET <_> "503"', words: null },
          { pattern: "user <_>", words: "^user \\S+$" },
        ],
        matches: ["\\d|x"],
        fields: [["status", "503"] as const, ["response_flags", ""] as const],
      },
      {
        ...nothing,
        labels: [["app", 'a"}b'] as const, ["pod", "x,y"] as const],
        contains: ['say "no"', "{a}"],
      },
    ])
      expect(readLogForm(writeLogForm(form))).toEqual(form);
  });

  it("read what people type", () => {
    expect(readLogForm('{ app = "x",pod=`y` } |= `boom`')).toEqual({
      ...nothing,
      labels: [
        ["app", "x"],
        ["pod", "y"],
      ],
      contains: ["boom"],
    });
  });

  it.each([
    '{app=~"x"}',
    '{app="x"} | json',
    'rate({app="x"}[1m])',
    '{app="x"} | a="b" or c="d"',
    "{app=",
    '{app="x"} != "y"',
  ])("leave %s as text", (query) => expect(readLogForm(query)).toBeNull());

  it("narrow a query, replacing the same label", () => {
    expect(withLabel('{app="x"} |= "e"', "app", "y")).toBe('{app="y"} |= "e"');
    expect(withLabel(everyStream, "pod", "p")).toBe('{pod="p"}');
    expect(withLabel("rate(x)", "a", "b")).toBeNull();
  });

  it("give way to a pattern, which is one of whole streams", () => {
    expect(ofStreams('{app="x}"} |= "a" | json', '|> "a <_>"')).toBe('{app="x}"} |> "a <_>"');
    expect(ofStreams("{app=`x`}", "| status=`503`")).toBe("{app=`x`} | status=`503`");
  });

  it("show patterns of access logs like their lines", () => {
    const json = '{<_>"method":"GET"<_>"response_code":503,"response_flags":"UH"<_>}';
    expect(shownPattern(json)).toBe("GET <_> → 503 UH");
    expect(shownPattern('[<_>] "POST <_>" 200 - <_>')).toBe("POST <_> → 200");
    expect(shownPattern('[<_>] "GET <_>" 0 DC <_>')).toBe("GET <_> → no answer DC");
    expect(shownPattern("user <_> logged in")).toBe("user <_> logged in");
  });

  it("select one stream by all its labels", () => {
    expect(streamQuery({ app: 'a"b', pod: "p" })).toBe('{app="a\\"b", pod="p"}');
  });

  it("begin with the namespace in scope", () => {
    expect(defaultLogQuery("shop")).toBe('{namespace="shop"}');
    expect(defaultLogQuery(undefined)).toBe(everyStream);
  });
});
