import { describe, expect, it } from "vitest";
import { builtinNames } from "./builtins.ts";
import { TemplateError } from "./error.ts";
import { executeTemplate, LazyMap } from "./evaluate.ts";
import { parseTemplate } from "./parse.ts";
import { GoDuration, GoTime } from "./time.ts";

const own = new Map<string, () => unknown>([
  ["moment", () => new GoTime(1_500_000_000n)],
  ["span", () => new GoDuration(3661.5)],
  ["floats", () => [0, -0, 1e-5, 1e20, 1e21, Number.NaN, -Infinity]],
]);
const names = {
  functions: new Set([...builtinNames, ...own.keys(), "tmpl"]),
  variables: ["$outer"],
};

function render(source: string, data: unknown = {}, missing?: ""): string {
  return executeTemplate(parseTemplate(source, names), {
    data,
    variables: { $outer: "given" },
    ...(missing === undefined ? {} : { missing }),
    outputCharsMax: 1000,
    function: (name) => own.get(name),
  });
}

describe("a template", () => {
  it.each([
    ["{{ if .map }}{{ with .map.a }}{{ . }}{{ end }}{{ end }}{{ len .list }}", "13"],
    ["{{ floats }}", "[0 -0 1e-05 100000000000000000000 1e+21 NaN -Inf]"],
    ["{{ moment }} {{ span }}", "1970-01-01 00:00:01.5 +0000 UTC 1h1m1.5s"],
    ['{{ moment.Unix }} {{ (moment).Format "15:04:05.0" }}', "1 00:00:01.5"],
    [
      "{{ if moment }}a moment{{ end }}{{ if not .none }} and nothing{{ end }}",
      "a moment and nothing",
    ],
    ['{{ printf "%.3g %.4g %g" 123456.0 0.00001234 0.5 }}', "1.23e+05 1.234e-05 0.5"],
    ['{{ printf "%c|%x|%X|%06.2f|%+d" 233 255 "hi" 3.14159 7 }}', "é|ff|6869|003.14|+7"],
    [
      '{{ printf "%s" }} {{ printf "%d" "x" }} {{ print 1 2 "a" }}',
      "%!s(MISSING) %!d(string=x) 1 2a",
    ],
    ["{{ '\\n' }} {{ \"\\u00e9\\x41\" }}", "10 éA"],
    [
      "{{ $x := 1 }}{{ range $i, $y := .list }}{{ $x = $y }}{{ end }}{{ $x }}{{ $outer }}",
      "3given",
    ],
    ["{{ range .list }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13"],
    ['{{ define "t" }}<{{ . }}{{ with $ }}{{ . }}{{ end }}>{{ end }}{{ template "t" 1 }}', "<11>"],
    ['{{ tmpl "t" "x" | len }}{{ define "t" }}{{ . }}{{ . }}{{ end }}', "2"],
    ["a\n  {{- /* gone */ -}}\n  b{{ if false }}{{ else if true }}c{{ end }}", "abc"],
    ["{{ index .map `a` }}{{ .map.b }}{{ slice `abcd` 1 3 }}", "1<no value>bc"],
    ["{{ (index .list 0) | printf `%v-%v` .map.a }}", "1-1"],
  ])("%s prints %s", (source, printed) => {
    expect(render(source, { list: [1, 2, 3], map: { a: 1 } })).toBe(printed);
  });

  it("prints nothing for an absent key where it is told so, and never an inherited one", () => {
    expect(render("[{{ .absent }}{{ .constructor }}]", {}, "")).toBe("[]");
    expect(render("[{{ .constructor }}]")).toBe("[<no value>]");
  });

  it("asks a lazy map for one field, and for all only when all is shown", () => {
    const asked: string[] = [];
    class Watched extends LazyMap {
      field(name: string): string {
        asked.push(name);
        return name.toUpperCase();
      }
      whole(): Record<string, string> {
        asked.push("whole");
        return { b: "2", a: "1" };
      }
    }
    expect(render("{{ .x }}", new Watched())).toBe("X");
    expect(asked).toEqual(["x"]);
    expect(render("{{ . }}{{ range $k, $v := $ }} {{ $k }}{{ $v }}{{ end }}", new Watched())).toBe(
      "map[a:1 b:2] a1 b2",
    );
  });

  it.each([
    ["\n{{ .x", "template line 2: unclosed action"],
    ["{{ if true }}\n{{ else }}", "template line 2: unexpected EOF: {{if}} is not closed"],
    ['{{ define "t" }}', "unexpected EOF: {{define}} is not closed"],
    ["a{{ end }}", "template line 1: unexpected {{end}}"],
    ["{{ nope }}", 'template line 1: function "nope" not defined'],
    ["{{ $nope }}", 'undefined variable "$nope"'],
    ['{{ define "t" }}{{ $outer }}{{ end }}', 'undefined variable "$outer"'],
    ["{{ if $x := 1 }}{{ end }}{{ $x }}", 'undefined variable "$x"'],
    ["{{ (1 }}", "unclosed left paren"],
    ['{{ "\\z" }}', "bad escape"],
    ["{{ block `x` . }}{{ end }}", "{{block}} is not supported"],
    ["{{ if true }}".repeat(60), "blocks nest too deep"],
    ["x".repeat(70_000), "at most 65536 characters"],
  ])("%j is refused when it is read", (source, message) => {
    const parse = () => parseTemplate(source, names);
    expect(parse).toThrow(TemplateError);
    expect(parse).toThrow(message);
  });

  it.each([
    ["{{ .a.b }}", "can't evaluate field b"],
    ["{{ lt 1 `a` }}", "incompatible types for comparison: 1, a"],
    ["{{ index .list 9 }}", "index out of range: 9"],
    ['{{ template "t" }}', 'template "t" not defined'],
    ['{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}', "call too deep"],
    ["{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}", "runs too long"],
    ["{{ range 900 }}xx{{ end }}", "writes more than 1000 characters"],
    ["{{ .list 1 }}", "can't give argument"],
  ])("%j fails while it runs", (source, message) => {
    const run = () => render(source, { a: 1, list: [1] });
    expect(run).toThrow(TemplateError);
    expect(run).toThrow(message);
  });
});
