/**
 * Sessions of the embedded engine on one path. A session runs one query at a time, several sessions run in parallel:
 * writers are apart from readers, so that no insert waits for a search, and one session is kept for KILL and pings.
 * Settings and database of a request are undone before the session serves another.
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

  constructor(session: Session) {
    this.session = session;
  }

  /** Runs `task` with the settings and the database, and with them undone afterwards. */
  async using<T>(
    settings: ReadonlyMap<string, string>,
    database: string,
    task: (session: Session) => Promise<T>,
  ): Promise<T> {
    const names = [...settings.keys()];
    for (const name of names)
      if (!settingName.test(name)) throw new SkoposError("bad-query", `not a setting: ${name}`);
    if (database !== this.#database) {
      await this.session.queryAsync(`USE \`${database.replaceAll(/[`\\]/g, "")}\``);
      this.#database = database;
    }
    if (names.length === 0) return task(this.session);
    const given = [...settings].map(([name, value]) => `${name} = ${quote(value)}`);
    try {
      await this.session.queryAsync(`SET ${given.join(", ")}`);
      return await task(this.session);
    } finally {
      await this.session.queryAsync(`SET ${names.map((name) => `${name} = DEFAULT`).join(", ")}`);
    }
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
