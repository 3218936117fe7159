/** Sorting of tables, with the choice written as `name` or `-name`; and their CSV. */
export interface Sort {
  readonly key: string;
  readonly descending: boolean;
}

export function readSort(text: string | null, fallback: string): Sort {
  const said = text === null || text === "" ? fallback : text;
  return said.startsWith("-")
    ? { key: said.slice(1), descending: true }
    : { key: said, descending: false };
}

/** Another column sorts descending first when it holds numbers; the same one turns around. */
export function nextSort(now: Sort, key: string, numeric: boolean): string {
  if (now.key === key) return now.descending ? key : `-${key}`;
  return numeric ? `-${key}` : key;
}

export type Cell = string | number | null;

function compare(a: Cell, b: Cell): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/** Stable; what is absent stands last whichever way. */
export function sortRows<Row>(
  rows: readonly Row[],
  cell: (row: Row) => Cell,
  descending: boolean,
): Row[] {
  return rows.toSorted((a, b) => {
    const left = cell(a);
    const right = cell(b);
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return descending ? compare(right, left) : compare(left, right);
  });
}

function quote(cell: Cell): string {
  if (cell === null) return "";
  const text = String(cell);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 4180. */
export function toCsv(titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [titles, ...rows].map((row) => row.map(quote).join(",")).join("\r\n");
}
