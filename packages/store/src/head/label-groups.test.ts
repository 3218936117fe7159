import { LabelSet } from "@skopos/model";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { namedBlock } from "./label-groups.ts";
import { LabelIndex } from "./label-index.ts";

const sink = { symbol: () => {}, base: () => {}, series: () => {} };
const columns = {
  times: [],
  timesOf: new Uint32Array(),
  values: new Float64Array(),
  offsets: new Uint32Array(),
  warnings: [],
};
const labelNames = ["__name__", "le", "pod", "zone", "a"];
const labels = fc.dictionary(fc.constantFrom(...labelNames), fc.constantFrom("", "1", "2", "x"));

function namesOf(maps: readonly Record<string, string>[]) {
  const index = new LabelIndex();
  const sets = maps.map((map) => LabelSet.fromMap(map));
  const ids = sets.map((set) => index.internSeries(set, sink));
  const { names } = namedBlock(index, ids, columns);
  if (!names) throw new Error("a block of the head has names");
  return { names, sets };
}

/** What is left of the labels, as text. */
function rest(set: LabelSet, by: boolean, wanted: readonly string[]): string {
  return set.without((name) =>
    by ? !wanted.includes(name) : wanted.includes(name) || name === "__name__",
  ).key;
}

it("groups series as their label sets would be grouped", () => {
  const wanted = fc.subarray([...labelNames, "nowhere"]);
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 30 }), fc.boolean(), wanted, (maps, by, given) => {
      const { names, sets } = namesOf(maps);
      const { of, count, first } = names.group(by, given);
      const keys = sets.map((set) => rest(set, by, given));
      const distinct = [...new Set(keys)];
      expect([...of]).toEqual(keys.map((key) => distinct.indexOf(key)));
      expect(count).toBe(distinct.length);
      expect(first).toEqual(distinct.map((key) => keys.indexOf(key)));
    }),
  );
});

it("tells labels one by one as the label sets do", () => {
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 10 }), (maps) => {
      const { names, sets } = namesOf(maps);
      expect(names.length).toBe(sets.length);
      for (const [s, set] of sets.entries()) {
        expect(names.labels(s).flat).toEqual(set.flat);
        for (const name of [...labelNames, "nowhere"])
          expect(names.value(s, name)).toBe(set.get(name));
      }
    }),
  );
});
