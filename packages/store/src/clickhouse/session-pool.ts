/**
 * Sessions of the embedded engine on one path. A session runs one query at a time, several sessions run in parallel:
 * writers are apart from readers, so that no insert waits for a search, and one session is kept for KILL and pings.
 * A request finds its own settings and database, whatever the one before it had.
 */
import { SkoposError } from "@skopos/model";
import type { Session } from "chdb";

export type Role = "reader" | "writer" | "control";

/** A queue as long as this waits for sessions of a role; more is refused. */
const waitingMax = 256;
const settingName = /^[A-Za-z_]\w*$/;

function quote(value: string): string {
  return `'${value.replaceAll(/[\\']/g, "\\$&")}'`;
}

export class PooledSession {
  readonly session: Session;
  #database = "default";
  /** Those that are in force. */
  #settings: ReadonlyMap<string, string> = new Map();

  constructor(session: Session) {
    this.session = session;
  }

  /**
   * Runs `task` with these settings and no others, on the database. They stay until others are asked for, since the next
   * request mostly wants the same, and changing them is a query of its own.
   */
  async using<T>(
    settings: ReadonlyMap<string, string>,
    database: string,
    task: (session: Session) => Promise<T>,
  ): Promise<T> {
    for (const name of settings.keys())
      if (!settingName.test(name)) throw new SkoposError("bad-query", `not a setting: ${name}`);
    if (database !== this.#database) {
      await this.session.queryAsync(`USE \`${database.replaceAll(/[`\\]/g, "")}\``);
      this.#database = database;
    }
    await this.#set(settings);
    return task(this.session);
  }

  async #set(settings: ReadonlyMap<string, string>): Promise<void> {
    const changes: string[] = [];
    for (const [name, value] of settings)
      if (this.#settings.get(name) !== value) changes.push(`${name} = ${quote(value)}`);
    for (const name of this.#settings.keys())
      if (!settings.has(name)) changes.push(`${name} = DEFAULT`);
    if (changes.length === 0) return;
    const before = this.#settings;
    try {
      await this.session.queryAsync(`SET ${changes.join(", ")}`);
      this.#settings = settings;
    } catch (error) {
      await this.#unset([...before.keys(), ...settings.keys()]);
      throw error;
    }
  }

  /** Each by itself: one of them may be no setting at all, and is refused once more. */
  async #unset(names: readonly string[]): Promise<void> {
    for (const name of names)
      await this.session.queryAsync(`SET ${name} = DEFAULT`).catch(() => undefined);
    this.#settings = new Map();
  }
}

export class SessionPool {
  readonly #idle: Record<Role, PooledSession[]> = { reader: [], writer: [], control: [] };
  readonly #waiting: Record<Role, ((session: PooledSession) => void)[]> = {
    reader: [],
    writer: [],
    control: [],
  };

  add(role: Role, session: Session): void {
    this.#idle[role].push(new PooledSession(session));
  }

  /** Runs `task` on a free session of the role. Rejects with "overloaded" when too many wait already. */
  async run<T>(role: Role, task: (session: PooledSession) => Promise<T>): Promise<T> {
    const session = this.#idle[role].pop() ?? (await this.#next(role));
    try {
      return await task(session);
    } finally {
      const next = this.#waiting[role].shift();
      if (next) next(session);
      else this.#idle[role].push(session);
    }
  }

  #next(role: Role): Promise<PooledSession> {
    const queue = this.#waiting[role];
    if (queue.length >= waitingMax) {
      const error = new SkoposError("overloaded", `${queue.length} queries wait already`);
      return Promise.reject(error);
    }
    return new Promise((resolve) => queue.push(resolve));
  }
}
