import * as fc from "fast-check";
import { type LabelSet, SkoposError } from "@skopos/model";
import { describe, expect, it } from "vitest";
import { ExpositionError } from "../errors.ts";
import { canonicalFloat, parseNumber } from "./number.ts";
import { PageLayout } from "./page.ts";
import { parseExposition } from "./parse.ts";
import { fuzzRuns } from "../testing/fuzz-runs.ts";

const openMetrics = "application/openmetrics-text; version=1.0.0";
const encode = (text: string) => new TextEncoder().encode(text);

/** Labels by mark, as a caller keeps them. */
const labelsOf = new WeakMap<PageLayout, LabelSet[]>();

function read(text: string, layout = new PageLayout(), contentType = "text/plain") {
  const page = parseExposition(encode(text), contentType, layout);
  const labels = labelsOf.get(layout) ?? [];
  labelsOf.set(layout, labels);
  for (const fresh of page.fresh) page.marks[fresh.index] = labels.push(fresh.labels) - 1;
  const samples: Record<string, number> = {};
  for (let i = 0; i < page.count; i++)
    samples[String(labels[page.marks[i] ?? -1])] = page.values[i] ?? 0;
  return { page, samples };
}

function failure(text: string, contentType = "text/plain"): string {
  try {
    parseExposition(encode(text), contentType, new PageLayout());
  } catch (error) {
    if (error instanceof SkoposError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "parsed";
}

describe("text format", () => {
  it("reads names, labels, escapes, blanks, timestamps and special values", () => {
    const { samples, page } = read(
      [
        "# a comment",
        "# HELP http_requests_total Requests\\nserved",
        "# TYPE http_requests_total counter",
        'http_requests_total{method="post",code="200"} 1027 1395066363000',
        "",
        '  spaced { a = "b\\"c\\\\d\\ne" , } \t 3',
        "plain -Inf",
        "tiny 1.458255915e9",
        'none{x="y"}NaN',
      ].join("\n"),
    );
    expect(samples).toEqual({
      'http_requests_total{code="200", method="post"}': 1027,
      'spaced{a="b\\"c\\\\d\\ne"}': 3,
      plain: -Infinity,
      tiny: 1458255915,
      'none{x="y"}': Number.NaN,
    });
    expect(page.hasTimes).toBe(true);
    expect([...page.timesMs.subarray(0, 2)]).toEqual([1395066363000, Number.NaN]);
  });

  it("keeps the metadata of families", () => {
    const layout = new PageLayout();
    read("# HELP a Some\\nhelp\n# TYPE a gauge\na 1\n# TYPE b untyped\nb 1\n", layout);
    expect(layout.metadata.get("a")).toEqual({ type: "gauge", help: "Some\nhelp", unit: "" });
    expect(layout.metadata.get("b")?.type).toBe("unknown");
  });

  it("reads quoted names in UTF-8", () => {
    const { samples } = read('{"höhe.meter","a.b"="c"} 1\n');
    expect(samples).toEqual({ 'höhe.meter{a.b="c"}': 1 });
  });

  it("writes le and quantile as OpenMetrics does", () => {
    const { samples } = read('b{le="1"} 1\nb{le="0.5"} 1\nb{le="+Inf"} 2\nq{quantile="0"} 1\n');
    expect(Object.keys(samples)).toEqual([
      'b{le="1.0"}',
      'b{le="0.5"}',
      'b{le="+Inf"}',
      'q{quantile="0.0"}',
    ]);
  });

  it.each([
    ["a 1\nb x\n", "bad-exposition: line 2, column 3: the value is not a number"],
    ['a{b="c} 1\n', "bad-exposition: line 1, column 5: the quote is not closed on its line"],
    [
      "a{b=c} 1",
      'bad-exposition: line 1, column 5: the value of label "b" must be in double quotes',
    ],
    ['a{b="c",b="d"} 1', 'bad-exposition: line 1, column 9: label "b" is given twice'],
    ["a", "bad-exposition: line 1, column 2: expected a value"],
    ["a 0x1p3", "bad-exposition: line 1, column 3: the value is not a number"],
    ["a 1 1.5", "bad-exposition: line 1, column 5: a timestamp is a whole number of milliseconds"],
    [
      "a 1 1 1",
      "bad-exposition: line 1, column 7: expected the line to end after value and timestamp",
    ],
  ])("says where %j is wrong", (text, message) => {
    expect(failure(text)).toBe(message);
  });

  it("refuses other media types", () => {
    expect(failure("a 1", "text/html; charset=utf-8")).toMatch(/^unsupported-media-type: /);
  });
});

describe("OpenMetrics", () => {
  it("reads exemplars and timestamps in seconds", () => {
    const layout = new PageLayout();
    const text = '# TYPE a counter\na_total 17 1.5 # {trace_id="abc"} 0.5 1.25\n# EOF\n';
    const { page } = read(text, layout, openMetrics);
    expect(page.timesMs[0]).toBe(1500);
    expect(page.exemplars).toHaveLength(1);
    expect(page.exemplars[0]?.labels.toMap()).toEqual({ trace_id: "abc" });
    expect(page.exemplars[0]).toMatchObject({ index: 0, value: 0.5, timeMs: 1250 });
  });

  it("takes an ungrouped page when only syntax is asked for", () => {
    const text = encode('# TYPE a gauge\na{b="1"} 1\na{b="2"} 1\na{b="1"} 1\n# EOF\n');
    const parse = (checks: "strict" | "syntax") =>
      parseExposition(text, openMetrics, new PageLayout(), { checks }).count;
    expect(parse("syntax")).toBe(3);
    expect(() => parse("strict")).toThrow(/not next to each other/);
  });
});

describe("a remembered layout", () => {
  const first = 'a{x="1"} 1\nab 2\na 3\nb{x="1"} 4\n';

  it("gives the same series the same marks", () => {
    const layout = new PageLayout();
    read(first, layout);
    const { page, samples } = read(first.replaceAll(/ (\d)\n/g, " 1$1\n"), layout);
    expect(page.sameLayout).toBe(true);
    expect(page.fresh).toEqual([]);
    expect([...page.marks]).toEqual([0, 1, 2, 3]);
    expect(samples).toEqual({ 'a{x="1"}': 11, ab: 12, a: 13, 'b{x="1"}': 14 });
  });

  it("does not take a series for one whose name it begins", () => {
    const layout = new PageLayout();
    read("a 1\n", layout);
    expect(read('a {x="y"} 2\nab 3\n', layout).samples).toEqual({ 'a{x="y"}': 2, ab: 3 });
  });

  it("is left alone by a page that cannot be read", () => {
    const layout = new PageLayout();
    read(first, layout);
    expect(() => read('c 1\na{x="1"} oops\n', layout)).toThrow(/line 2/);
    expect(read(first, layout).page.sameLayout).toBe(true);
  });

  it("knows series again when lines come, go and change places", () => {
    const layout = new PageLayout();
    const lines = Array.from(
      { length: 40 },
      (_, i) => `h_bucket{app="shop",pod="a",le="${i}"} ${i}`,
    );
    const readLines = (all: readonly string[]) => read(`${all.join("\n")}\n`, layout);
    const { samples } = readLines(lines);
    for (const changed of [lines.toReversed(), lines.slice(7), lines.toSpliced(3, 2), lines]) {
      const known = new Set(Object.keys(samples));
      const { page, samples: found } = readLines([...changed, "other 1"]);
      for (const name of Object.keys(found)) if (name !== "other") expect(known).toContain(name);
      expect(page.marks).toHaveLength(changed.length + 1);
    }
    expect(readLines(lines.toReversed()).page.fresh).toEqual([]);
  });

  it("is not taken from one format for the other", () => {
    const layout = new PageLayout();
    read('a{b="1" , } 1\n', layout);
    expect(() => read('a{b="1" , } 1\n# EOF\n', layout, openMetrics)).toThrow(/line 1/);
  });

  it("compares lines of any length", () => {
    const layout = new PageLayout();
    const long = "x".repeat(70_000);
    const text = `a{b="${long}",c="1"} 1\na{b="${long}",c="2"} 2\n`;
    read(text, layout);
    const { page } = read(text, layout);
    expect(page.sameLayout).toBe(true);
    expect(page.fresh).toEqual([]);
  });

  it("reads any page as a fresh layout does", () => {
    const series = fc.constantFrom(
      "a",
      "ab",
      'a{x="1"}',
      'a{x="2"}',
      'b{le="1"}',
      'b{ le="2" }',
      'b{x="1",le="1"}',
      'b{x="1",le="2",y="3"}',
      'b{x="1",y="3"}',
      '{"b",x="1"}',
    );
    const line = fc.tuple(series, fc.double({ noDefaultInfinity: true, noNaN: true }));
    const pageText = fc
      .array(line, { maxLength: 12 })
      .map((lines) => lines.map(([name, value]) => `${name} ${value}\n`).join(""));
    fc.assert(
      fc.property(fc.array(pageText, { minLength: 1, maxLength: 6 }), (pages) => {
        const layout = new PageLayout();
        for (const text of pages) expect(read(text, layout).samples).toEqual(read(text).samples);
      }),
    );
  });
});

it("answers damaged pages with samples or an error that says where, and reads the next good one", () => {
  const page = [
    "# TYPE took histogram",
    "# HELP took How long \\\\ it took.",
    'took_bucket{path="/a\\"b",le="0.5"} 3 # {trace_id="abc"} 0.3 1.5',
    'took_bucket{path="/a\\"b",le="+Inf"} 4',
    'took_count{path="/a\\"b"} 4',
    'took_sum{path="/a\\"b"} 1e-3',
    "# EOF",
    "",
  ].join("\n");
  const good = encode(page);
  const layout = new PageLayout();
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, byte] of changes) bytes[at] = byte;
      try {
        parseExposition(bytes, openMetrics, layout, { checks: "syntax" });
      } catch (error) {
        if (!(error instanceof ExpositionError)) throw error;
        expect(error.line).toBeGreaterThan(0);
      }
      const { count, values } = parseExposition(good, openMetrics, layout, { checks: "syntax" });
      expect(Array.from(values.subarray(0, count))).toEqual([3, 4, 4, 1e-3]);
    }),
    { numRuns: fuzzRuns(1000) },
  );
});

it("answers random bytes with samples or an error, never a crash", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    '"',
    ",",
    "=",
    "#",
    " ",
    "\n",
    "\\",
    "# TYPE a histogram\n",
    "# EOF\n",
    'a_bucket{le="+Inf"} 1',
    ' # {a="b"} 1 1',
    "1e5",
    "é",
  );
  const text = fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }).map((all) => all.join(""));
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), text.map(encode));
  fc.assert(
    fc.property(bytes, fc.constantFrom("text/plain", openMetrics), (input, type) => {
      try {
        parseExposition(input, type, new PageLayout());
      } catch (error) {
        if (!(error instanceof SkoposError)) throw error;
      }
    }),
    { numRuns: fuzzRuns(3000) },
  );
});

it("reads every finite double that it can be written as", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      const written = Object.is(value, -0) ? "-0" : String(value).replace("Infinity", "Inf");
      const bytes = encode(written);
      expect(parseNumber(bytes, 0, bytes.length)).toBe(value);
    }),
  );
});

it.each([
  ["1", "1.0"],
  ["0.5", "0.5"],
  ["1e-04", "0.0001"],
  ["1e-5", "1e-05"],
  ["2500", "2500.0"],
  ["1e21", "1e+21"],
  ["+inf", "+Inf"],
  ["x", "x"],
])("writes the bound %s as %s", (text, expected) => {
  expect(canonicalFloat(text)).toBe(expected);
});
