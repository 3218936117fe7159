/** Lines as a table of chosen fields; the choice is in the address. */
import type { LogLine } from "@skopos/api";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { logFieldsQuery } from "../../data/queries.ts";
import { useAddress, useScope } from "../../frame/address.ts";
import { fieldValues } from "../../logic/log-fields.ts";
import { lineKeys } from "../../logic/log-line.ts";
import { clockTimeMs, nsToMs } from "../../logic/times.ts";
import { type Column, DataTable } from "../../parts/DataTable.tsx";
import { Loaded, Skeleton } from "../../parts/States.tsx";

const columnsMax = 12;
/** Shown until somebody chooses: those of these that the lines have. */
const usual = [
  "app",
  "method",
  "path",
  "status",
  "response_flags",
  "duration_ms",
  "msg",
  "message",
];

interface Row {
  readonly key: string;
  readonly line: LogLine;
  readonly values: readonly string[];
}

const timeColumn: Column<Row> = {
  key: "time",
  title: "Time",
  cell: ({ line }) => nsToMs(line.timeNs),
  show: ({ line }) => <span className="num">{clockTimeMs(nsToMs(line.timeNs))}</span>,
};

function fieldColumn(name: string, at: number, rows: readonly Row[]): Column<Row> {
  const numeric = rows.every(({ values }) => !Number.isNaN(Number(values[at] ?? "")));
  return {
    key: name,
    title: name,
    numeric,
    cell: ({ values }) => {
      const value = values[at] ?? "";
      return numeric && value !== "" ? Number(value) : value;
    },
    show: ({ values }) => <span className="mono cell-text">{values[at]}</span>,
  };
}

function Choice({
  query,
  chosen,
  choose,
}: {
  readonly query: string;
  readonly chosen: readonly string[];
  readonly choose: (names: readonly string[]) => void;
}): ReactNode {
  const { time } = useScope();
  const asked = useQuery(logFieldsQuery(time, query));
  return (
    <Loaded asked={asked} skeleton={<Skeleton rows={1} label="Looking for fields" />}>
      {({ fields }) => {
        const names = [...new Set([...chosen, "app", "pod", ...fields.map(({ name }) => name)])];
        return (
          <details className="small">
            <summary>Columns: {chosen.join(", ")}</summary>
            <div className="chips" role="group" aria-label="Fields as columns">
              {names.map((name) => {
                const on = chosen.includes(name);
                const field = fields.find((one) => one.name === name);
                return (
                  <button
                    key={name}
                    type="button"
                    className="button small"
                    aria-pressed={on}
                    disabled={!on && chosen.length >= columnsMax}
                    title={field ? `${field.type}, ${field.values} different` : undefined}
                    onClick={() =>
                      choose(on ? chosen.filter((one) => one !== name) : [...chosen, name])
                    }
                  >
                    {name}
                  </button>
                );
              })}
            </div>
          </details>
        );
      }}
    </Loaded>
  );
}

export function FieldTable({
  lines,
  query,
}: {
  readonly lines: readonly LogLine[];
  readonly query: string;
}): ReactNode {
  const { search, patch } = useAddress();
  const asked = search.get("cols");
  const chosen = useMemo(() => {
    if (asked !== null)
      return asked
        .split(",")
        .filter((name) => name !== "")
        .slice(0, columnsMax);
    const sample = lines.slice(0, 50);
    return usual.filter((_, at) => sample.some((line) => fieldValues(line, usual)[at] !== ""));
  }, [asked, lines]);
  const rows = useMemo(() => {
    const keys = lineKeys(lines);
    return lines.map((line, at): Row => ({
      key: keys[at] ?? line.timeNs,
      line,
      values: fieldValues(line, chosen),
    }));
  }, [lines, chosen]);
  const columns = useMemo(
    () => [timeColumn, ...chosen.map((name, at) => fieldColumn(name, at, rows))],
    [chosen, rows],
  );
  return (
    <div className="stack tight">
      <Choice
        query={query}
        chosen={chosen}
        choose={(names) => patch({ cols: names.join(",") }, "replace")}
      />
      <DataTable
        label="Log lines"
        rows={rows}
        rowKey={({ key }) => key}
        columns={columns}
        sort="-time"
      />
    </div>
  );
}
