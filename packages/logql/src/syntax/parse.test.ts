import { describe, expect, it } from "vitest";
import { format } from "./format.ts";
import { parse, parseSelector } from "./parse.ts";

describe("LogQL", () => {
  it.each([
    ['{app="a",pod=~"x.*"}|="t"!="u"', '{app="a", pod=~"x.*"} |= "t" != "u"'],
    ['{app="a"} # all of it\n  | json\n  | level="x" # some', '{app="a"} | json | level="x"'],
    ['rate({app="a"}[5m] |= "x")', 'rate({app="a"} |= "x" [5m])'],
    ['rate(({app="a"} | json)[5m])', 'rate({app="a"} | json [5m])'],
    ['sum(rate({app="a"}[1m])) by (pod)', 'sum by (pod) (rate({app="a"} [1m]))'],
    [
      'sum_over_time({app="a"} | unwrap v [1d] offset 1h)',
      'sum_over_time({app="a"} | unwrap v [24h] offset 1h)',
    ],
    ["1 + 2 * 3 ^ 2", "19"],
    ['{app="a"} | a=1 or b>2s, c="d"', '{app="a"} | (a==1 or (b>2s and c="d"))'],
    ['{app="a"} | json="x"', '{app="a"} | json="x"'],
    ["vector(1) == on(a) group_left() vector(2)", "vector(1) == on (a) group_left () vector(2)"],
    ["vector(1) > on(a) group_left (vector(2))", "vector(1) > on (a) group_left () vector(2)"],
  ])("reads %s", (text, written) => {
    expect(format(parse(text))).toBe(written);
  });

  it.each([
    ["", 1, 1, "unexpected $end"],
    ["{}", 1, 1, "at least one regexp or equality matcher"],
    ['{app=~".*"}', 1, 1, "at least one regexp or equality matcher"],
    ['{app="a"', 1, 9, "unexpected $end, expecting }"],
    ['{app="a"} | nothing', 1, 20, "unexpected $end"],
    ['{app="a"}\n |= "x\n', 2, 5, "literal not terminated"],
    ['{app="a"} |~ "\\d"', 1, 14, "invalid char escape"],
    ['{app="a"}\n| json\n| line_format "{{ .x"', 3, 15, "unclosed action"],
    ['rate({app="a"})', 1, 1, "expecting RANGE"],
    ['{app="a"} | regexp "x"', 1, 20, "at least one named capture"],
    ['{app="a"} | pattern "<a><b>"', 1, 21, "consecutive capture"],
    ['{app="a"} | label_format a=b, a=c', 1, 31, "multiple label name 'a'"],
    ['{app="a"} + 1', 1, 1, "unexpected type for left leg"],
    ["sum(2, vector(1))", 1, 1, "unsupported parameter"],
  ])("refuses %s and says where", (text, line, column, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: "bad-query",
        line,
        column,
        message: expect.stringContaining(message),
      }),
    );
  });

  it("takes a selector alone where only that makes sense", () => {
    expect(parseSelector('{app!="a", b="c"}')).toEqual([
      { name: "app", op: "!=", value: "a" },
      { name: "b", op: "=", value: "c" },
    ]);
    expect(() => parseSelector('{b="c"} | json')).toThrow("unexpected |");
  });
});
