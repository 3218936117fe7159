import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LabelSet } from "./labels.ts";

const text = fc.constantFrom("", "a", "b", "__name__", "le", "ü", "\u{1f600}", "\uffff");

test("a set made of pairs has each name once, with its last value, in order, and no empty values", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 12 }), (pairs) => {
      const last = new Map(pairs);
      const names = [...last.keys()].filter((name) => last.get(name) !== "").sort();
      const expected = names.flatMap((name) => [name, last.get(name)]);
      expect(LabelSet.fromPairs(pairs).flat).toEqual(expected);
    }),
  );
});
