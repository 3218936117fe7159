/**
 * The head joined to the journal: what is appended is in memory at once and on disk when `durable()` resolves. A page goes
 * to the head first, whatever the journal says: alerting must see it even when the disk is full; the sender is told.
 *
 * On disk there are the journal's metric frames and a snapshot of the head in `dir`, which covers the journal up to a
 * position. `open` restores the snapshot and replays the journal from there, so nothing below `durableThrough` is lost
 * whenever the process dies: a checkpoint takes the place of the one before only when it is whole and everything it
 * counts on is durable.
 *
 * Bounded by the head's limits; dropping old samples runs in steps between appends.
 */
import { mkdir } from "node:fs/promises";
import {
  type AppendOutcome,
  type Clock,
  type GroupRef,
  type LabelSet,
  messageOf,
  type MetricReader,
  type SampleSink,
  type SeriesRef,
  SkoposError,
} from "@skopos/model";
import type { JournalReader } from "../journal/journal-reader.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { Head, type HeadOptions, type HeadStats } from "./head.ts";
import type { HeadShare } from "./memory.ts";
import { declaredSeriesMax, metricFrameKind, MetricFrameEncoder } from "./metrics-frame.ts";
import { MetricReplay } from "./metric-replay.ts";
import type { HeadGroup } from "./places.ts";
import { readSnapshot, writeSnapshot } from "./snapshot.ts";

export interface MetricStoreOptions {
  /** For the snapshot; made when missing. */
  readonly dir: string;
  readonly journal: JournalWriter;
  /** Of the same journal. `identity` tells a new journal from the one the snapshot was made with. */
  readonly journalReader: JournalReader & { identity?(): Promise<number> };
  readonly clock: Clock;
  /** Older samples leave the head. Default 6 h. */
  readonly retentionMs?: number;
  readonly head?: Partial<HeadOptions>;
}

export interface Restored {
  readonly snapshotSamples: number;
  /** Samples the journal had beyond the snapshot. */
  readonly replayedSamples: number;
  /** What could not be read, for people. Nothing acknowledged is missing unless it says so. */
  readonly warnings: readonly string[];
}

const retentionMsDefault = 6 * 3_600_000;
const dropEveryMs = 30_000;

export class MetricStore implements SampleSink {
  readonly restored: Restored;
  readonly #dir: string;
  readonly #head: Head;
  readonly #journal: JournalWriter;
  readonly #identity: number;
  readonly #clock: Clock;
  readonly #retentionMs: number;
  readonly #encoder = new MetricFrameEncoder();
  /** How many of a group's refs are declared in this epoch. */
  #declared = new WeakMap<HeadGroup, number>();
  /** After the last frame of ours. */
  #position = 0;
  /** Why a page since the last `durable()` is not in the journal. */
  #lost: SkoposError | undefined;
  #checkpointing: Promise<number> | undefined;
  #cancelDrop: (() => void) | undefined;

  private constructor(
    options: MetricStoreOptions,
    opened: { head: Head; restored: Restored; identity: number },
  ) {
    this.#dir = options.dir;
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#retentionMs = options.retentionMs ?? retentionMsDefault;
    this.#head = opened.head;
    this.#identity = opened.identity;
    this.restored = opened.restored;
    this.#dropLater();
  }

  /** Restores what was there. Rejects with the journal's and the file system's errors. */
  static async open(options: MetricStoreOptions): Promise<MetricStore> {
    await mkdir(options.dir, { recursive: true });
    const identity = (await options.journalReader.identity?.()) ?? 0;
    const head = new Head(options.head);
    head.dropBefore(options.clock.nowMs() - (options.retentionMs ?? retentionMsDefault));
    const warnings: string[] = [];
    let from = 0;
    let snapshotSamples = 0;
    try {
      const snapshot = await readSnapshot(options.dir, head);
      if (snapshot) {
        snapshotSamples = snapshot.samples;
        const { position } = snapshot;
        if (snapshot.identity === identity && position <= options.journal.durableThrough)
          from = position;
        else warnings.push("the snapshot is of another journal; the journal is replayed whole");
      }
    } catch (error) {
      if (!(error instanceof SkoposError)) throw error;
      warnings.push(`${messageOf(error)}: the journal is replayed whole`);
    }
    const replay = new MetricReplay(head);
    await replay.run(options.journalReader, from);
    warnings.push(...replay.warnings);
    // Who is gone does not come back to close its group; who is not, opens it again.
    for (const group of head.groups()) head.closeGroup(group.id);
    const restored = { snapshotSamples, replayedSamples: replay.samples, warnings };
    return new MetricStore(options, { head, restored, identity });
  }

  /** For this thread. */
  reader(): MetricReader {
    return this.#head.reader();
  }

  /** For `HeadView` in other threads. */
  share(): HeadShare {
    return this.#head.share();
  }

  stats(): HeadStats {
    return this.#head.stats();
  }

  /** Everything appended below is on disk. */
  get durableThrough(): number {
    return this.#journal.durableThrough;
  }

  openGroup(key: string): GroupRef {
    return this.#head.openGroup(key);
  }

  series(group: GroupRef, labels: LabelSet): SeriesRef | undefined {
    return this.#head.series(group, labels);
  }

  appendPage(
    group: GroupRef,
    timeMs: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
  ): AppendOutcome {
    const outcome = this.#head.appendPage(group, timeMs, refs, values, count);
    if (outcome.appended > 0)
      this.#write(() => {
        this.#declare(this.#head.group(group));
        this.#encoder.page(group, timeMs, refs, values, count);
        this.#append();
      });
    return outcome;
  }

  closeGroup(group: GroupRef): void {
    this.#head.closeGroup(group);
  }

  /** Journals the names of series that are new in this epoch. */
  #declare(group: HeadGroup): void {
    let declared = this.#declared.get(group);
    while (declared === undefined || declared < group.refs.length) {
      const from = declared ?? 0;
      const end = Math.min(group.refs.length, from + declaredSeriesMax);
      const refs = group.refs.array.subarray(from, end);
      const labels = Array.from(refs, (ref) => this.#head.labels(ref));
      this.#encoder.declare(group.id, group.key, refs, labels);
      this.#append();
      declared = end;
      this.#declared.set(group, declared);
    }
  }

  #append(): void {
    this.#position = this.#journal.append(metricFrameKind, this.#encoder.frame());
  }

  #write(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof SkoposError)) throw error;
      // The sink's contract knows two reasons; "overloaded" is a disk that does not keep up.
      const code = error.code === "disk-full" ? "disk-full" : "unavailable";
      this.#lost = new SkoposError(code, error.message, { cause: error });
    }
  }

  async durable(): Promise<void> {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost) throw lost;
    await this.#journal.flushed(this.#position);
  }

  /** Writes a snapshot and returns the position before which the journal is no longer needed for metrics. */
  checkpoint(): Promise<number> {
    this.#checkpointing ??= this.#writeCheckpoint().finally(() => {
      this.#checkpointing = undefined;
    });
    return this.#checkpointing;
  }

  async #writeCheckpoint(): Promise<number> {
    const position = Math.max(this.#position, this.#journal.durableThrough);
    // What is replayed from here must not need names from before.
    this.#declared = new WeakMap();
    const header = { position, identity: this.#identity };
    const putInPlace = await writeSnapshot(this.#dir, this.#head, header);
    // Otherwise a crash could leave a journal that ends below, and grows past, the position.
    await this.#journal.flushed(this.#position);
    await putInPlace();
    return position;
  }

  #dropLater(): void {
    this.#cancelDrop = this.#clock.after(dropEveryMs, () =>
      this.#drop(this.#clock.nowMs() - this.#retentionMs),
    );
  }

  /** The time stays the same from step to step; a later one would begin anew. */
  #drop(beforeMs: number): void {
    if (this.#head.dropBefore(beforeMs)) this.#dropLater();
    else this.#cancelDrop = this.#clock.after(0, () => this.#drop(beforeMs));
  }

  /** Stops the clock's work and waits for a checkpoint under way. The journal stays open. */
  async close(): Promise<void> {
    this.#cancelDrop?.();
    await this.#checkpointing;
  }
}
