/** What telemetry takes in ClickHouse, once everything is merged: looked at when its server has stopped. */
import { Session } from "chdb";

export interface TableSize {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
}

/** Merges each table first. `dir` is ClickHouse's own directory. */
export function mergedSizes(dir: string, tables: readonly string[]): Promise<TableSize[]> {
  return withTables(dir, async (session) => {
    for (const table of tables) await session.queryAsync(`OPTIMIZE TABLE skopos.${table} FINAL`);
    const names = tables.map((table) => `'${table}'`).join(", ");
    const sizes = await session.queryAsync(
      `SELECT table, toFloat64(sum(rows)) AS rows, toFloat64(sum(bytes_on_disk)) AS bytes FROM system.parts
      WHERE active AND database = 'skopos' AND table IN (${names}) GROUP BY table FORMAT JSONEachRow`,
    );
    return sizes
      .text()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as TableSize);
  });
}

/** What a query of one row and one column says. */
export function numberFrom(dir: string, sql: string): Promise<number> {
  return withTables(dir, async (session) => Number((await session.queryAsync(sql)).text()));
}

async function withTables<T>(dir: string, task: (session: Session) => Promise<T>): Promise<T> {
  const session = new Session(dir, {
    connectionArgs: ["--max_server_memory_usage=2000000000", "--background_pool_size=2"],
  });
  try {
    return await task(session);
  } finally {
    session.close();
  }
}
