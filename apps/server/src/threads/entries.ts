/** Where the program's other processes, threads and data files are: beside the bundle, or in the sources when run from them. */
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const fromSource = import.meta.url.endsWith(".ts");
const sourceRoot = path.resolve(here, "../../../..");

export type EntryName =
  | "telemetry-thread"
  | "query-thread"
  | "carrier-thread"
  | "clickhouse-process";

export interface Entry {
  readonly file: string;
  readonly execArgv: string[];
}

export function entryOf(name: EntryName): Entry {
  return fromSource
    ? { file: path.join(here, `${name}.ts`), execArgv: ["--import", "tsx"] }
    : { file: path.join(here, `${name}.js`), execArgv: ["--enable-source-maps"] };
}

/** Data that ships with the program: "rules", "runbooks", "web". */
export function resourceDir(name: "rules" | "runbooks" | "web"): string {
  if (!fromSource) return path.join(here, name);
  const sources = {
    rules: "packages/alerting/rules",
    runbooks: "packages/incident/runbooks",
    web: "dist/web",
  };
  return path.join(sourceRoot, sources[name]);
}
