/** Plain tables for people: aligned columns, numbers to the right, nothing drawn. */

export interface Column<Row> {
  readonly title: string;
  readonly align?: "left" | "right";
  readonly value: (row: Row) => string;
}

export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => column.value(row))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  const lines = cells.map((line) =>
    line
      .map((cell, i) =>
        columns[i]?.align === "right" ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return lines.join("\n");
}

/** "1.2k/s"; "–" for what was not measured. */
export function perSecond(value: number | null): string {
  if (value === null) return "–";
  if (value >= 1000) return `${(value / 1000).toFixed(1)}k/s`;
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)}/s`;
}

export function percent(ratio: number | null): string {
  if (ratio === null) return "–";
  const value = ratio * 100;
  return value === 0 ? "0 %" : `${value < 1 ? value.toFixed(2) : value.toFixed(1)} %`;
}

export function milliseconds(value: number | null): string {
  if (value === null) return "–";
  return value >= 1000
    ? `${(value / 1000).toFixed(2)} s`
    : `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

/** "3m ago"; `nowMs` is handed in. */
export function ago(atMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000));
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h ago`;
  return `${Math.floor(seconds / 86_400)}d ago`;
}
