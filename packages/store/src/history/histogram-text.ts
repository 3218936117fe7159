/** Native histograms of a slice as text: JSON of [row, histogram] pairs, with the numbers that JSON lacks as strings. */
import type { NativeHistogram } from "@skopos/model";

const special: Readonly<Record<string, number>> = {
  NaN,
  Infinity,
  "-Infinity": -Infinity,
};

type Row = readonly [row: number, histogram: NativeHistogram];

export function histogramText(rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  return JSON.stringify(rows, (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
}

/** What `histogramText` wrote. */
export function histogramRows(text: string): Row[] {
  if (text === "") return [];
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === "string" ? (special[value] ?? value) : value,
  ) as Row[];
}
