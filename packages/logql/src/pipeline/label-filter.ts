/** Label filters. A filter that cannot read a value marks the line with an error and lets it pass. */
import { compileMatcher } from "@skopos/model";
import type { LabelFilter } from "../syntax/ast.ts";
import { compareNumbers } from "../syntax/numbers.ts";
import { parseBytes, parseFloat64, parseSeconds } from "../syntax/units.ts";
import { compileIpTest } from "./line-filter.ts";
import type { LineState } from "./line-state.ts";

export type LabelTest = (line: LineState) => boolean;

export function compileLabelFilter(filter: LabelFilter): LabelTest {
  switch (filter.type) {
    case "and":
    case "or": {
      const left = compileLabelFilter(filter.left);
      const right = compileLabelFilter(filter.right);
      return filter.type === "and"
        ? (line) => left(line) && right(line)
        : (line) => left(line) || right(line);
    }
    case "text": {
      const matcher = compileMatcher(filter);
      const { name } = filter;
      return (line) => matcher.test(line.get(name) ?? "");
    }
    case "ip": {
      const test = compileIpTest(filter.value);
      const wanted = filter.op === "=";
      const { name } = filter;
      return (line) => {
        // Once a line has an error only filters of text can refuse it.
        if (line.error !== "") return true;
        const value = line.get(name);
        return value !== undefined && test(value) === wanted;
      };
    }
    default:
      return compileAmount(filter);
  }
}

const readers = {
  number: parseFloat64,
  duration: (text: string) => parseSeconds(text),
  bytes: parseBytes,
};

function compileAmount(
  filter: Extract<LabelFilter, { type: "number" | "duration" | "bytes" }>,
): LabelTest {
  const { name, op, value, type } = filter;
  const read = readers[type];
  return (line) => {
    if (line.error !== "") return true;
    const text = line.get(name);
    if (text === undefined) return false;
    const amount = read(text);
    if (amount === undefined) {
      line.fail("LabelFilterErr", `${JSON.stringify(text)} is not a ${type}`);
      return true;
    }
    return compareNumbers(op, amount, value);
  };
}
