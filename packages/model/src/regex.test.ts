import * as fc from "fast-check";
import { expect, it } from "vitest";
import { compileAnchored, compileRegex } from "./regex.ts";

it("patterns that are taken apart match what RE2 matches", () => {
  const pattern = fc
    .array(fc.constantFrom("5", "a", ".", "-", "/", "b.*", ".+", "|", "\\."), { maxLength: 5 })
    .map((parts) => parts.join(""));
  const value = fc
    .array(fc.constantFrom("5", "a", "b", ".", "-", "/", "\n", "é", "😀"), { maxLength: 5 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(pattern, value, (source, text) => {
      const expected = compileRegex(source).matcher(text).matches();
      expect(compileAnchored(source).test(text)).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});
