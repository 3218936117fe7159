import { TemplateError } from "@skopos/template";
import { describe, expect, it } from "vitest";
import { LineTemplate } from "./template.ts";

const labels: Record<string, string> = {
  level: "warn",
  path: "/api/v1/cart",
  code: "503",
  took: "1m30s",
  size: "2KiB",
  json: '{"a":{"b":[1,2,"x"]},"n":1.5}',
  constructor_: "",
};
const line = {
  text: "GET /cart 503",
  timeNs: 1_767_225_600_123_456_789n,
  label: (name: string) => (Object.hasOwn(labels, name) ? labels[name] : undefined),
  labels: () => labels,
};
const render = (source: string) =>
  new LineTemplate(source, 1_767_225_661_000_000_000n).execute(line);

describe("a template", () => {
  it.each([
    ["plain", "plain"],
    ["{{.level}}-{{ .missing }}!", "warn-!"],
    ["{{.constructor}}", ""],
    ["a  {{- .level -}}  b", "awarnb"],
    ["{{/* nothing */}}x", "x"],
    ['{{ if eq .level "warn" }}W{{ else if .x }}X{{ else }}Y{{ end }}', "W"],
    ["{{ with .missing }}{{ . }}{{ else }}none{{ end }}", "none"],
    ["{{ range $i, $x := (fromJson .json).a.b }}{{ $i }}={{ $x }} {{ end }}", "0=1 1=2 2=x "],
    ["{{ $x := .code }}{{ $x | printf `%5s|%-5s|` $x }}", "  503|503  |"],
    [
      '{{ printf "%05d %.2f %x %q %v%%" (int .code) (float64 "1.5") "hi" "q" true }}',
      '00503 1.50 6869 "q" true%',
    ],
    ["{{ .path | trimPrefix `/api` | replace `/` `_` | upper | trunc 4 }}", "_V1_"],
    [
      "{{ TrimPrefix .path `/api` }} {{ substr 1 4 .path }} {{ title `some words` }}",
      "/v1/cart api Some Words",
    ],
    ["[{{ alignLeft 6 .level }}][{{ alignRight 2 .level }}]", "[warn  ][rn]"],
    ["{{ indent 2 `a\nb` }}", "  a\n  b"],
    [
      "{{ regexReplaceAll `(\\d)(\\d+)` .code `${2}-$1` }} {{ __line__ | count `[A-Z]` }}",
      "03-5 3",
    ],
    [
      "{{ add 1 2 .code }} {{ sub 5 7 }} {{ div 7 2 }} {{ mod 7 4 }} {{ mulf 1.5 2 }} {{ divf 1 4 }}",
      "506 -2 3 3 3 0.25",
    ],
    [
      "{{ max 1 9 3 }} {{ minf 1.5 0.5 }} {{ round 2.345 2 }} {{ ceil 1.2 }} {{ floor 1.8 }}",
      "9 0.5 2.35 2 1",
    ],
    ["{{ duration .took }} {{ bytes .size }} {{ default `d` .missing }}", "90 2048 d"],
    [
      "{{ b64enc `hé` }} {{ b64dec `aMOp` }} {{ urlencode `a b&c` }} {{ urldecode `a+b%26c` }}",
      "aMOp hé a+b%26c a b&c",
    ],
    ["{{ __timestamp__ | date `2006-01-02T15:04:05.000Z07:00` }}", "2026-01-01T00:00:00.123Z"],
    [
      "{{ __timestamp__ | unixEpoch }} {{ __timestamp__ | unixEpochMillis }} {{ now | unixEpoch }}",
      "1767225600 1767225600123 1767225661",
    ],
    [
      "{{ `2026-03-04 15:06:07` | toDate `2006-01-02 15:04:05` | date `Mon Jan _2 3:04PM 06` }}",
      "Wed Mar  4 3:06PM 26",
    ],
    ["{{ unixToTime `1767225600` | date `2006` }}", "2026"],
    ["{{ and .level `x` }}{{ or .missing `y` }}{{ not .missing }}{{ len .level }}", "xytrue4"],
  ])("renders %s", (source, rendered) => {
    expect(render(source)).toBe(rendered);
  });

  it.each([
    ["{{ .x", "unclosed action"],
    ["{{ nosuch .x }}", 'function "nosuch" not defined'],
    ["{{ if .x }}", "unexpected EOF"],
    ["{{ end }}", "unexpected {{end}}"],
    ["{{ $y }}", "undefined variable"],
    ["{{ 1 2 }}", "can't give argument to non-function"],
    ["{{ }}", "missing value for command"],
  ])("%s is refused before any line is seen", (source, message) => {
    expect(() => new LineTemplate(source, 0n)).toThrow(message);
  });

  it.each([
    "{{ div 1 0 }}",
    "{{ duration .level }}",
    "{{ fromJson .level }}",
    "{{ index .level 1 }}",
    "{{ repeat 10000000 .path }}",
    "{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}",
  ])("%s fails on its line alone", (source) => {
    const template = new LineTemplate(source, 0n);
    expect(() => template.execute(line)).toThrow(TemplateError);
  });
});
