/**
 * How far each log file was read and acknowledged, by file identity, so that a rename is no new file. Kept as JSON, replaced
 * as a whole: `{version: 1, files: {"<device>:<inode>": {offset, head}}}`. `head` is the file's beginning: an inode that was
 * given to another file does not pass for the old one.
 */
import { readFile, rename, writeFile } from "node:fs/promises";

export interface Position {
  offset: number;
  head: string;
}

const filesMax = 50_000;

export class Positions {
  readonly #file: string;
  readonly #files = new Map<string, Position>();
  /** Whether there was a file: then what it does not name came after it. */
  readonly resumed: boolean;

  private constructor(file: string, entries: readonly [string, Position][], resumed: boolean) {
    this.#file = file;
    this.#files = new Map(entries);
    this.resumed = resumed;
  }

  /** A file that cannot be read as positions counts as none: lines come twice rather than never. */
  static async open(file: string): Promise<Positions> {
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch {
      return new Positions(file, [], false);
    }
    return new Positions(file, parsed(text), true);
  }

  get(identity: string): Position | undefined {
    return this.#files.get(identity);
  }

  set(identity: string, position: Position): void {
    if (this.#files.size >= filesMax && !this.#files.has(identity)) {
      const [oldest] = this.#files.keys();
      if (oldest !== undefined) this.#files.delete(oldest);
    }
    this.#files.set(identity, position);
  }

  /** Forgets files that are gone. */
  keepOnly(identities: ReadonlySet<string>): void {
    for (const identity of this.#files.keys())
      if (!identities.has(identity)) this.#files.delete(identity);
  }

  async save(): Promise<void> {
    const next = `${this.#file}.next`;
    const files = Object.fromEntries(this.#files);
    await writeFile(next, JSON.stringify({ version: 1, files }));
    await rename(next, this.#file);
  }
}

function parsed(text: string): [string, Position][] {
  try {
    const { files } = JSON.parse(text) as { files?: Record<string, Partial<Position>> };
    return Object.entries(files ?? {}).flatMap(([identity, { offset, head }]) =>
      typeof offset === "number" && typeof head === "string" ? [[identity, { offset, head }]] : [],
    );
  } catch {
    return [];
  }
}
