/**
 * The embedded engine: opens the sessions with the memory caps of a guest instead of those of a server, and runs one
 * request at a time on each. Lives on the main thread of the ClickHouse child and nowhere else: the native module breaks
 * any process that loads it in a worker thread.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { SkoposError } from "@skopos/model";
import type { Session } from "chdb";
import { dropEmptyDefinitions } from "./define.ts";
import { bindParameters } from "./query-parameters.ts";
import { type Role, SessionPool } from "./session-pool.ts";

export interface EngineOptions {
  readonly path: string;
  readonly memoryBytesMax: number;
  readonly readers: number;
}

export interface EngineRequest {
  readonly query: string;
  /** Rows of an INSERT; empty for anything else. */
  readonly body: Buffer;
  readonly parameters: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
  readonly database: string;
  readonly format: string;
  readonly signal: AbortSignal;
}

export interface EngineResult {
  readonly bytes: Uint8Array;
  readonly readRows: number;
  readonly readBytes: number;
}

const writeStatement =
  /^\s*(?:INSERT|CREATE|ALTER|DROP|TRUNCATE|RENAME|OPTIMIZE|SYSTEM|DELETE|UPDATE)\b/i;
const insertStatement =
  /^\s*INSERT\s+INTO\s+(?:TABLE\s+)?([\w.`]+)\s*(?:\(([^()]*)\))?\s*FORMAT\s+(\w+)\s*;?\s*$/i;
const insertFormats = [
  "Native",
  "JSONEachRow",
  "JSONCompactEachRow",
  "TabSeparated",
  "TSV",
  "TabSeparatedWithNames",
  "TSVWithNames",
  "CSV",
  "CSVWithNames",
] as const;

/** Server settings of the first session; later sessions on the path share the server that it started. */
function serverSettings(memoryBytesMax: number): ReadonlyMap<string, number> {
  return new Map([
    ["max_server_memory_usage", memoryBytesMax],
    ["mark_cache_size", Math.round(memoryBytesMax / 12)],
    ["index_mark_cache_size", Math.round(memoryBytesMax / 24)],
    ["background_pool_size", 2],
    ["max_thread_pool_size", 300],
  ]);
}

async function verifySettings(session: Session, wanted: ReadonlyMap<string, number>) {
  const sql = "SELECT name, value FROM system.server_settings FORMAT JSONCompactEachRow";
  const found = new Map<string, string>();
  for (const line of (await session.queryAsync(sql)).text().split("\n")) {
    if (line === "") continue;
    const [name, value] = JSON.parse(line) as [string, string];
    found.set(name, value);
  }
  for (const [name, value] of wanted) {
    if (Number(found.get(name)) !== value) {
      throw new SkoposError(
        "engine-settings",
        `the embedded engine runs with ${name} = ${found.get(name)}, not ${value}: this release of chdb does not take the setting`,
      );
    }
  }
}

export class Engine {
  readonly #pool = new SessionPool();
  readonly #running = new Set<string>();
  readonly #insertsDir: string;
  #next = 0;

  private constructor(insertsDir: string) {
    this.#insertsDir = insertsDir;
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const { Session } = await import("chdb");
    const insertsDir = path.join(options.path, "inserts");
    // What a death left there was of inserts that will be repeated.
    await rm(insertsDir, { recursive: true, force: true });
    await mkdir(insertsDir, { recursive: true });
    await dropEmptyDefinitions(options.path);
    const engine = new Engine(insertsDir);
    const settings = serverSettings(options.memoryBytesMax);
    const first = new Session(options.path, {
      connectionArgs: [...settings].map(([name, value]) => `--${name}=${value}`),
    });
    await verifySettings(first, settings);
    engine.#pool.add("control", first);
    engine.#pool.add("writer", new Session(options.path));
    for (let i = 0; i < options.readers; i++) engine.#pool.add("reader", new Session(options.path));
    return engine;
  }

  /** Whether the engine answers. */
  async ping(): Promise<void> {
    await this.#pool.run("control", ({ session }) => session.queryAsync("SELECT 1"));
  }

  /** Rejects with what the engine throws ("Code: N. DB::Exception: …"), or "overloaded". */
  run(request: EngineRequest): Promise<EngineResult> {
    const role: Role = writeStatement.test(request.query) ? "writer" : "reader";
    return this.#pool.run(role, (pooled) => {
      if (request.signal.aborted) throw new SkoposError("cancelled", "the client went away");
      return pooled.using(request.settings, request.database, (session) =>
        request.body.length > 0 ? this.#insert(session, request) : this.#query(session, request),
      );
    });
  }

  /** Asks every running query to stop. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#running].map((mark) => this.#kill(mark)));
  }

  async #query(session: Session, request: EngineRequest): Promise<EngineResult> {
    const mark = `/*${process.pid}-${this.#next++}*/`;
    const kill = () => void this.#kill(mark);
    this.#running.add(mark);
    request.signal.addEventListener("abort", kill, { once: true });
    try {
      const sql = `${mark} ${bindParameters(request.query, request.parameters)}`;
      const result = await session.queryAsync(sql, { format: request.format });
      return {
        bytes: result.bytes(),
        readRows: result.rowsRead,
        readBytes: result.bytesRead,
      };
    } finally {
      request.signal.removeEventListener("abort", kill);
      this.#running.delete(mark);
    }
  }

  /**
   * Rows pass through a file: those that travel behind the statement are text for the engine's lexer too, which takes longer
   * than reading them, and may be text formats only.
   */
  async #insert(session: Session, request: EngineRequest): Promise<EngineResult> {
    const [, table = "", columns, name] = insertStatement.exec(request.query) ?? [];
    const format = insertFormats.find((known) => known === name);
    if (table === "" || !format) {
      throw new SkoposError(
        "bad-query",
        `the embedded engine takes INSERT INTO table (columns) FORMAT ${insertFormats.join("|")} with a body`,
      );
    }
    const file = path.join(this.#insertsDir, String(this.#next++));
    try {
      await writeFile(file, request.body, { mode: 0o600 });
      const into = columns === undefined ? table : `${table} (${columns})`;
      const from = `file('${file.replaceAll(/[\\']/g, "\\$&")}', '${format}')`;
      return await this.#query(session, {
        ...request,
        query: `INSERT INTO ${into} SELECT * FROM ${from}`,
        parameters: new Map(),
      });
    } finally {
      await rm(file, { force: true });
    }
  }

  /** SYNC would wait for the query; ASYNC only asks it to stop, which takes some ten milliseconds. */
  async #kill(mark: string): Promise<void> {
    if (!this.#running.has(mark)) return;
    const sql = `KILL QUERY WHERE startsWith(query, '${mark}') ASYNC`;
    await this.#pool.run("control", ({ session }) => session.queryAsync(sql));
  }
}
