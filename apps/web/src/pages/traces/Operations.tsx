import type { TraceOutline } from "@skopos/api";
import { type ReactNode, useMemo } from "react";
import { formatMs } from "../../logic/numbers.ts";
import { operationRows, type OperationRow } from "../../logic/trace-rows.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { OperationName } from "./OperationName.tsx";

function columnsOf(select: (row: number) => void): Column<OperationRow>[] {
  return [
    {
      key: "name",
      title: "Operation",
      cell: ({ service, name }) => `${service} ${name}`,
      show: ({ service, name, longest }) => (
        <button
          type="button"
          className="operation-open"
          title="Show its longest span"
          onClick={() => select(longest)}
        >
          <OperationName service={service} name={name} />
        </button>
      ),
    },
    { key: "kind", title: "Kind", cell: ({ kind }) => kind, minor: true },
    { key: "spans", title: "Spans", cell: ({ spans }) => spans, numeric: true },
    {
      key: "errors",
      title: "Failed",
      cell: ({ errors }) => errors,
      numeric: true,
      show: ({ errors }) => (errors > 0 ? <span className="state failing">◆ {errors}</span> : "0"),
    },
    {
      key: "itself",
      title: "Itself",
      cell: ({ exclusiveMs }) => exclusiveMs,
      show: ({ exclusiveMs }) => formatMs(exclusiveMs),
      numeric: true,
    },
    {
      key: "total",
      title: "Total",
      cell: ({ totalMs }) => totalMs,
      show: ({ totalMs }) => formatMs(totalMs),
      numeric: true,
      minor: true,
    },
    {
      key: "longest",
      title: "Longest",
      cell: ({ maxMs }) => maxMs,
      show: ({ maxMs }) => formatMs(maxMs),
      numeric: true,
      minor: true,
    },
  ];
}

export default function Operations({
  trace,
  select,
}: {
  readonly trace: TraceOutline;
  readonly select: (row: number) => void;
}): ReactNode {
  const rows = useMemo(() => operationRows(trace), [trace]);
  const columns = useMemo(() => columnsOf(select), [select]);
  return (
    <DataTable
      label="Operations of the trace"
      rows={rows}
      rowKey={({ service, name, kind }) => `${service} ${name} ${kind}`}
      columns={columns}
      sort="-itself"
    />
  );
}
