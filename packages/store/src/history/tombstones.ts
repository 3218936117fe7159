/**
 * What was deleted: selectors and ranges of time, in a small JSON file that is replaced as a whole. From the moment a
 * deletion is on disk every reader leaves out what it names, whether in the head or in the history; the carrier then
 * takes it out of the history for good (`clean.ts`), and what the head holds of it ages away.
 *
 * One thread owns the file (`Deletions`). It moves a number in the head's shared memory when the file has changed, by
 * which the readers of other threads (`Tombstones`) know to read it again.
 */
import { readFileSync } from "node:fs";
import {
  type Clock,
  type CompiledMatcher,
  compileMatcher,
  type LabelSet,
  LimitError,
  matchesAll,
  type Matcher,
  SkoposError,
} from "@skopos/model";
import type { HeadMarks } from "../head/marks.ts";
import { readWholeFile, replaceFile } from "../journal/whole-file.ts";

export interface Tombstone {
  readonly id: number;
  /** Series that satisfy all matchers of any set. */
  readonly matcherSets: readonly (readonly Matcher[])[];
  /** Unix ms, both included. */
  readonly startMs: number;
  readonly endMs: number;
  /** Nothing of it is left in the history. */
  readonly cleaned: boolean;
}

/** Each is tried against every series of a select that it may concern. */
const tombstonesMax = 1000;

function parse(text: string | undefined, file: string): Tombstone[] {
  if (text === undefined) return [];
  const json: unknown = JSON.parse(text);
  if (Array.isArray(json)) return json as Tombstone[];
  throw new SkoposError("bad-checkpoint", `${file} does not list deletions`);
}

/** The owner's side. */
export class Deletions {
  readonly #file: string;
  readonly #marks: HeadMarks;
  readonly #clock: Clock;
  #tombstones: readonly Tombstone[];
  /** Resolves when the change before is done, well or badly. */
  #changing: Promise<void> = Promise.resolve();

  private constructor(
    file: string,
    marks: HeadMarks,
    clock: Clock,
    tombstones: readonly Tombstone[],
  ) {
    this.#file = file;
    this.#marks = marks;
    this.#clock = clock;
    this.#tombstones = tombstones;
    marks.tombstonesChanged();
  }

  /** Rejects with "bad-checkpoint" and the file system's errors. */
  static async open(file: string, marks: HeadMarks, clock: Clock): Promise<Deletions> {
    return new Deletions(file, marks, clock, parse(await readWholeFile(file), file));
  }

  /**
   * Deletes the samples of matching series with startMs ≤ t ≤ endMs; of later samples than now nothing. Resolves when it
   * is on disk and readers honour it. Rejects with "bad-regex", "limit".
   */
  async delete(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
  ): Promise<void> {
    for (const set of matcherSets) for (const matcher of set) compileMatcher(matcher);
    const end = Math.min(endMs, this.#clock.nowMs());
    if (matcherSets.length === 0 || end < startMs) return;
    await this.#change((tombstones) => {
      if (tombstones.length >= tombstonesMax)
        throw new LimitError(
          `${tombstonesMax} deletions wait to be cleaned already; clean tombstones, then try again`,
        );
      const id = 1 + Math.max(0, ...tombstones.map((each) => each.id));
      return [...tombstones, { id, matcherSets, startMs, endMs: end, cleaned: false }];
    });
  }

  /** These are out of the history. They go when the head has nothing of them either. */
  async cleaned(ids: readonly number[]): Promise<void> {
    await this.#change((tombstones) =>
      tombstones
        .map((each) => (ids.includes(each.id) ? { ...each, cleaned: true } : each))
        .filter((each) => !each.cleaned || each.endMs >= this.#marks.droppedBeforeMs),
    );
  }

  /** One change after the other. */
  async #change(change: (tombstones: readonly Tombstone[]) => readonly Tombstone[]): Promise<void> {
    const before = this.#changing;
    const { promise, resolve } = deferred();
    this.#changing = promise;
    await before;
    try {
      const next = change(this.#tombstones);
      await replaceFile(this.#file, `${JSON.stringify(next)}\n`);
      this.#tombstones = next;
      this.#marks.tombstonesChanged();
    } finally {
      resolve();
    }
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** A tombstone ready to be tried. */
export class Grave {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly matcherSets: Tombstone["matcherSets"];
  readonly cleaned: boolean;
  readonly #sets: readonly (readonly CompiledMatcher[])[];

  constructor(tombstone: Tombstone) {
    this.id = tombstone.id;
    this.startMs = tombstone.startMs;
    this.endMs = tombstone.endMs;
    this.matcherSets = tombstone.matcherSets;
    this.cleaned = tombstone.cleaned;
    this.#sets = tombstone.matcherSets.map((set) => set.map(compileMatcher));
  }

  holds(labels: LabelSet): boolean {
    return this.#sets.some((set) => matchesAll(set, labels));
  }
}

/** A reader's side. */
export class Tombstones {
  readonly #file: string;
  readonly #marks: Pick<HeadMarks, "tombstoneVersion">;
  #version = 0;
  #graves: readonly Grave[] = [];

  constructor(file: string, marks: Pick<HeadMarks, "tombstoneVersion">) {
    this.#file = file;
    this.#marks = marks;
  }

  /** As they are now. */
  get graves(): readonly Grave[] {
    const version = this.#marks.tombstoneVersion;
    if (version !== this.#version) {
      this.#graves = this.#read().map((tombstone) => new Grave(tombstone));
      this.#version = version;
    }
    return this.#graves;
  }

  #read(): Tombstone[] {
    try {
      return parse(readFileSync(this.#file, "utf8"), this.#file);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  }
}
