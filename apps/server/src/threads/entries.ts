/** Where the program's other processes, threads and data files are: beside the bundle they were built into. */
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));

export type EntryName =
  | "telemetry-thread"
  | "intake-thread"
  | "query-thread"
  | "carrier-thread"
  | "remote-write-thread"
  | "clickhouse-process";

export interface Entry {
  readonly file: string;
  readonly execArgv: string[];
}

export function entryOf(name: EntryName): Entry {
  return { file: path.join(here, `${name}.js`), execArgv: ["--enable-source-maps"] };
}

/** Data that ships with the program. */
export function resourceDir(name: "rules" | "runbooks" | "web"): string {
  return path.join(here, name);
}
