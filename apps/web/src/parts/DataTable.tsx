/** A table that sorts (choice in the address), copies as CSV and stays fast with thousands of rows. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { useAddress } from "../frame/address.ts";
import { type Cell, nextSort, readSort, sortRows, toCsv } from "../logic/table.ts";

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  /** What sorts and goes into the CSV. */
  readonly cell: (row: Row) => Cell;
  /** What is shown, if not the cell itself. */
  readonly show?: (row: Row) => ReactNode;
  readonly numeric?: boolean;
  /** Left out on a phone. */
  readonly minor?: boolean;
}

interface DataTableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
  /** Like `-rate`. */
  readonly sort: string;
  /** The parameter that holds the sort, when a page has several tables. */
  readonly parameter?: string;
  readonly attributes?: (row: Row) => Record<string, string>;
}

const virtualAbove = 200;
const rowHeight = 36;

function CopyCsv<Row>({ columns, rows }: Pick<DataTableProps<Row>, "columns" | "rows">): ReactNode {
  const [says, setSays] = useState("Copy as CSV");
  const copy = () => {
    const csv = toCsv(
      columns.map(({ title }) => title),
      rows.map((row) => columns.map(({ cell }) => cell(row))),
    );
    navigator.clipboard.writeText(csv).then(
      () => setSays("Copied"),
      () => setSays("The browser refused to copy"),
    );
  };
  return (
    <button type="button" className="button bare small" onClick={copy}>
      {says}
    </button>
  );
}

function Head<Row>({
  columns,
  sort,
  parameter,
}: Required<Pick<DataTableProps<Row>, "columns" | "sort" | "parameter">>): ReactNode {
  const { search, patch } = useAddress();
  const now = readSort(search.get(parameter), sort);
  return (
    <thead>
      <tr>
        {columns.map(({ key, title, numeric = false, minor = false }) => (
          <th
            key={key}
            className={`${numeric ? "right" : ""} ${minor ? "hide-phone" : ""}`}
            aria-sort={now.key === key ? (now.descending ? "descending" : "ascending") : "none"}
          >
            <button
              type="button"
              onClick={() => patch({ [parameter]: nextSort(now, key, numeric) }, "replace")}
            >
              {title}
              <span aria-hidden="true">
                {now.key === key ? (now.descending ? "↓" : "↑") : "\u2002"}
              </span>
            </button>
          </th>
        ))}
      </tr>
    </thead>
  );
}

export function DataTable<Row>({
  label,
  rows,
  rowKey,
  columns,
  sort,
  parameter = "sort",
  attributes,
}: DataTableProps<Row>): ReactNode {
  const { search } = useAddress();
  const { key, descending } = readSort(search.get(parameter), sort);
  const column = columns.find((one) => one.key === key) ?? columns[0];
  const sorted = useMemo(
    () => (column ? sortRows(rows, column.cell, descending) : [...rows]),
    [rows, column, descending],
  );
  const box = useRef<HTMLDivElement>(null);
  const many = sorted.length > virtualAbove;
  // Its answers are read in this component alone and never memoized.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: many ? sorted.length : 0,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();
  const from = many ? (items[0]?.index ?? 0) : 0;
  const to = many ? (items.at(-1)?.index ?? -1) + 1 : sorted.length;
  const before = many ? (items[0]?.start ?? 0) : 0;
  const after = many ? virtual.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  return (
    <div className="stack tight">
      <div
        ref={box}
        className="table-wrap"
        style={many ? { height: "min(70vh, 720px)", overflow: "auto" } : undefined}
      >
        <table className="data" aria-label={label} aria-rowcount={sorted.length + 1}>
          <Head columns={columns} sort={sort} parameter={parameter} />
          <tbody>
            {before > 0 && <tr style={{ height: before }} aria-hidden="true" />}
            {sorted.slice(from, to).map((row, offset) => (
              <tr key={rowKey(row)} aria-rowindex={from + offset + 2} {...attributes?.(row)}>
                {columns.map(({ key, cell, show, numeric = false, minor = false }) => (
                  <td
                    key={key}
                    className={`${numeric ? "right" : ""} ${minor ? "hide-phone" : ""}`}
                  >
                    {show ? show(row) : cell(row)}
                  </td>
                ))}
              </tr>
            ))}
            {after > 0 && <tr style={{ height: after }} aria-hidden="true" />}
          </tbody>
        </table>
      </div>
      <div className="row between">
        <span className="small quiet">{sorted.length} rows</span>
        <CopyCsv columns={columns} rows={sorted} />
      </div>
    </div>
  );
}
