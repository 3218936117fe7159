import * as fc from "fast-check";
import { SkoposError } from "@skopos/model";
import { describe, expect, it } from "vitest";
import type { TemplateContext } from "./functions.ts";
import { RuleTemplate } from "./template.ts";

const context: TemplateContext = {
  externalUrl: "http://desk.example/skopos",
  nowMs: () => 1_700_000_000_000,
  query: (text) =>
    Promise.resolve(
      text === "none"
        ? []
        : [
            { Labels: { __name__: "m", instance: "b" }, Value: 11 },
            { Labels: { __name__: "m", instance: "a" }, Value: 21 },
          ],
    ),
};

function expand(source: string, labels: Record<string, string> = {}, value = 0.5) {
  const data = { labels, value, externalLabels: { region: "eu" }, externalUrl: "http://x" };
  return new RuleTemplate(source).expand(data, context);
}

describe("templates", () => {
  it.each([
    ["plain", "plain"],
    ["{{ $labels.job }} is at {{ $value }}", "cart is at 0.5"],
    ["{{ .Labels.job }}/{{ .Value }}/{{ $externalLabels.region }}", "cart/0.5/eu"],
    ["[{{ $labels.absent }}]", "[]"],
    ["[{{ $labels.constructor }}]", "[]"],
    ["{{ $value | humanizePercentage }}", "50%"],
    [
      '{{ printf "%.2f|%5.1f|%-6s|%d|%q|%%" $value 3.14159 "ab" 7 "x" }}',
      '0.50|  3.1|ab    |7|"x"|%',
    ],
    ['{{ printf "%d" $value }}', "%!d(float64=0.5)"],
    ["a  {{- 1 -}}  b", "a1b"],
    ["a{{/* a comment */}}b", "ab"],
    ["{{ if gt $value 0.4 }}high{{ else if gt $value 0.2 }}mid{{ else }}low{{ end }}", "high"],
    ['{{ if and (eq $labels.job "cart") (lt $value 0.1) }}x{{ else }}y{{ end }}', "y"],
    ['{{ if or $labels.absent "" }}x{{ else }}y{{ end }}', "y"],
    ["{{ with $labels.job }}job {{ . }}{{ else }}none{{ end }}", "job cart"],
    ['{{ range query "m" }}{{ .Labels.instance }}={{ .Value }} {{ end }}', "b=11 a=21 "],
    [
      '{{ range $i, $s := query "m" | sortByLabel "instance" }}{{ $i }}{{ $s.Labels.instance }}{{ end }}',
      "0a1b",
    ],
    ['{{ range query "none" }}x{{ else }}nothing{{ end }}', "nothing"],
    ['{{ query "m" | first | value }}', "11"],
    ['{{ query "m" | first | label "instance" }}', "b"],
    ['{{ (query "m" | first).Value }}', "11"],
    ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"],
    ['{{ range query "m" }}{{ if eq .Value 21.0 }}{{ break }}{{ end }}{{ .Value }}{{ end }}', "11"],
    ['{{ define "t" }}<{{ .arg0 }}{{ .arg1 }}>{{ end }}{{ template "t" (args 1 "b") }}', "<1b>"],
    ['{{ define "t" }}<{{ . }}>{{ end }}{{ tmpl "t" "x" | toUpper }}', "<X>"],
    ['{{ index $labels "job" }}', "cart"],
    ["{{ len $labels.job }}", "4"],
    ["{{ not $labels.job }}", "false"],
    ["{{ `raw\\n` }}", "raw\\n"],
    ["{{ $labels }}", "map[job:cart]"],
    ['{{ title "hello big world" }} {{ toUpper "a" }} {{ toLower "B" }}', "Hello Big World A b"],
    ['{{ match "c.*t" $labels.job }}', "true"],
    ['{{ reReplaceAll "(c)(a)" "$2$1" $labels.job }}', "acrt"],
    [
      '{{ stripPort "host:80" }} {{ stripPort "[::1]:80" }} {{ stripPort "host" }}',
      "host ::1 host",
    ],
    ['{{ stripDomain "a.b.c:80" }} {{ stripDomain "10.0.0.1:80" }}', "a:80 10.0.0.1:80"],
    ['{{ graphLink "up == 0" }}', "/graph?g0.expr=up+%3D%3D+0&g0.tab=0"],
    ["{{ pathPrefix }} {{ externalURL }}", "/skopos http://desk.example/skopos"],
    ["{{ toTime 1.5 }}", "1970-01-01 00:00:01.5 +0000 UTC"],
    ["{{ toDuration 3661.5 }}", "1h1m1.5s"],
    ['{{ parseDuration "1h30m" }}', "5400"],
    ["{{ now | toTime }}", "2023-11-14 22:13:20 +0000 UTC"],
  ])("expands %s", async (source, expected) => {
    expect(await expand(source, { job: "cart" })).toBe(expected);
  });

  it.each([
    ["humanize", 0, "0"],
    ["humanize", 1_234_567, "1.235M"],
    ["humanize", 0.0123, "12.3m"],
    ["humanize", 999.99, "1000"],
    ["humanize", Number.NaN, "NaN"],
    ["humanize", Infinity, "+Inf"],
    ["humanize1024", 1_048_576, "1Mi"],
    ["humanize1024", 500, "500"],
    ["humanizeDuration", 0, "0s"],
    ["humanizeDuration", 59.4, "59.4s"],
    ["humanizeDuration", 61, "1m 1s"],
    ["humanizeDuration", 90_061, "1d 1h 1m 1s"],
    ["humanizeDuration", 0.00012, "120us"],
    ["humanizeDuration", -3600, "-1h 0m 0s"],
    ["humanizePercentage", 0.123_45, "12.35%"],
    ["humanizePercentage", 1234, "1.234e+05%"],
    ["humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"],
    ["print", 1e21, "1e+21"],
    ["print", 0.00001, "1e-05"],
    ["print", 1e20, "100000000000000000000"],
  ])("%s of %d is %s", async (name, value, expected) => {
    expect(await expand(`{{ ${name} $value }}`, {}, value)).toBe(expected);
  });

  it.each([
    ["{{ $labels.job", "template line 1: unclosed action"],
    ["a\n{{ if true }}x", "template line 2: unexpected EOF: {{if}} is not closed with {{end}}"],
    ["{{ $nope }}", 'template line 1: undefined variable "$nope"'],
    ["{{ end }}", "template line 1: unexpected {{end}}"],
    ["{{ nope }}", 'template line 1: function "nope" not defined'],
    ["{{ $labels.job | }}", "template line 1: missing value for command"],
    ["{{ (1 }}", "template line 1: unclosed left paren"],
  ])("refuses %j when the rule is read", (source, message) => {
    expect(() => new RuleTemplate(source)).toThrow(message);
  });

  it.each([
    ['{{ query "none" | first }}', /no elements/],
    ["{{ .Value.Deep }}", /can't evaluate field Deep/],
    ['{{ humanize "x" }}', /can't convert x to float/],
    ['{{ gt 1 "a" }}', /incompatible types/],
    ['{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}', /call too deep/],
    ["{{ range 100000 }}xxxxxxxxxxxxxxxxxxxxxxxxxx{{ end }}", /too long|writes more/],
  ])("says why %j cannot be expanded", async (source, message) => {
    await expect(expand(source)).rejects.toThrow(message);
  });

  it("of any text expand or fail with a message, and never hang", async () => {
    const piece = fc.constantFrom(
      "{{",
      "}}",
      "{{ ",
      " }}",
      "{{-",
      "-}}",
      "if",
      "else",
      "end",
      "range",
      "with",
      "define",
      "$x",
      ":=",
      "|",
      "$labels",
      ".job",
      " ",
      "(",
      ")",
      '"a"',
      "`",
      "1",
      "printf",
      "query",
      "first",
    );
    const source = fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(source, async (parts) => {
        try {
          await expand(parts.join(""));
        } catch (error) {
          if (!(error instanceof SkoposError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
