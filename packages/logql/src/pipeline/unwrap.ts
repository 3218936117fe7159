/** Takes a number from a label, as `unwrap` does. */
import type { Unwrap } from "../syntax/ast.ts";
import { parseBytes, parseFloat64, parseSeconds } from "../syntax/units.ts";
import { compileLabelFilter } from "./label-filter.ts";
import type { LineState } from "./line-state.ts";

/** Undefined: the line counts for nothing. */
export function compileUnwrap({
  label,
  conversion,
  filters,
}: Unwrap): (line: LineState) => number | undefined {
  const read =
    conversion === undefined
      ? parseFloat64
      : conversion === "bytes"
        ? parseBytes
        : (text: string) => parseSeconds(text);
  const tests = filters.map(compileLabelFilter);
  return (line) => {
    const text = line.get(label);
    if (text === undefined) return undefined;
    let value = read(text);
    if (value === undefined) {
      line.fail(
        "SampleExtractionErr",
        `${JSON.stringify(text)} is not a ${conversion ?? "number"}`,
      );
      value = 0;
    }
    for (const test of tests) if (!test(line)) return undefined;
    return value;
  };
}
