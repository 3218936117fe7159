import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRuns } from "../testing/fuzz-runs.ts";
import { builtInRules } from "./built-in.ts";
import { TripleScan } from "./triple-scan.ts";

const ruled = builtInRules.flatMap(({ name, trigger, triples }) =>
  trigger && triples ? [{ name, trigger, triples }] : [],
);

describe("a scan for three characters", () => {
  it.each(ruled)("passes over nothing that $name looks for", ({ trigger, triples }) => {
    const scan = new TripleScan(triples);
    const around = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(around, fc.stringMatching(trigger), around, (before, found, after) => {
        expect(scan.mayMatch(before + found + after)).toBe(true);
      }),
      { numRuns: fuzzRuns(200) },
    );
  });

  it("finds them without regard to case, wherever they stand", () => {
    const scan = new TripleScan(["pwd"]);
    for (const text of ["pwd", "a PWD", "Pwd=1"]) expect(scan.mayMatch(text)).toBe(true);
  });

  it("passes over what holds none: an access log line needs no expression", () => {
    const scan = new TripleScan(ruled.flatMap(({ triples }) => triples));
    const line = `[2020-11-25T21:26:18.409Z] "GET /products/7?number=2 HTTP/2" 200 - via_upstream - "-" 0 19 4 4 "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36" "7d1b6c1e-90fa-4b7e-9c53-0a1f7ce8a2c4" "catalog:80" "10.0.0.9:80" outbound|80||catalog.shop.svc.cluster.local 10.0.0.1:80 10.0.0.2:1 - default`;
    expect(scan.mayMatch(line)).toBe(false);
    for (const text of ["", "pw", "wd pw"]) expect(scan.mayMatch(text)).toBe(false);
  });

  it("refuses a text that is too short to say anything", () => {
    expect(() => new TripleScan(["pw"])).toThrow("not three characters");
  });
});
