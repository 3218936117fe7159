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
  type Exemplar,
  type ExemplarReader,
  type GroupRef,
  type LabelSet,
  messageOf,
  type MetricReader,
  type MetricSink,
  type NativeHistogram,
  type RefKeeper,
  type SeriesRef,
  SkoposError,
} from "@skopos/model";
import type { JournalReader } from "../journal/journal-reader.ts";
import type { JournalWriter } from "../journal/journal.ts";
import { Declarations } from "./declarations.ts";
import { Head, type HeadOptions, type HeadStats } from "./head.ts";
import { HeadMarks } from "./marks.ts";
import type { HeadShare } from "./memory.ts";
import { declaredSeriesMax, metricFrameKind, MetricFrameEncoder } from "./metrics-frame.ts";
import { MetricReplay } from "./metric-replay.ts";
import type { HeadGroup } from "./places.ts";
import {
  type OlderProgress,
  OlderRestore,
  readSnapshot,
  type RestoredSnapshot,
} from "./snapshot-restore.ts";
import { SnapshotWriter } from "./snapshot.ts";
import { SteadyTime } from "./steady-time.ts";

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
  /** Whither samples are carried before they leave the head. Without it they are just dropped. */
  readonly carriage?: CarriageOptions;
}

export interface CarriageOptions {
  /** Slices of this length are carried as wholes; their ends are multiples of it. */
  readonly sliceMs: number;
  /** A slice is sealed, and may be carried, so long after its end. */
  readonly sealAfterMs: number;
  /** What is not carried stays in the head up to this age, longer than the retention. */
  readonly keepMsMax: number;
  /** What has been carried before, or may have been. */
  readonly carriedThroughMs: number;
}

export interface Restored {
  readonly snapshotSamples: number;
  /** Samples the journal had beyond the snapshot. */
  readonly replayedSamples: number;
  /** What could not be read, for people. Nothing acknowledged is missing unless it says so. */
  readonly warnings: readonly string[];
}

/** So much before a checkpoint is restored before anything else: what rules look at, and what may still come late. */
const recentMs = 20 * 60_000;
const retentionMsDefault = 6 * 3_600_000;
const dropEveryMs = 30_000;

export class MetricStore implements MetricSink {
  readonly restored: Restored;
  readonly #head: Head;
  readonly #marks: HeadMarks;
  readonly #journal: JournalWriter;
  readonly #identity: number;
  readonly #clock: Clock;
  readonly #time: SteadyTime;
  readonly #retentionMs: number;
  readonly #carriage: CarriageOptions | undefined;
  #carriedThroughMs: number;
  readonly #encoder = new MetricFrameEncoder();
  readonly #declarations: Declarations;
  readonly #snapshots: SnapshotWriter;
  readonly #older: OlderRestore;
  #restoring: Promise<void> | undefined;
  #resume = () => {};
  /** How many of the refs a group ever had are declared in this epoch. */
  #declared = new WeakMap<HeadGroup, number>();
  /** After the last frame of ours. */
  #position = 0;
  /** Why a page since the last `durable()` is not in the journal. */
  #lost: SkoposError | undefined;
  #checkpointing: Promise<number> | undefined;
  #cancelDrop: (() => void) | undefined;

  private constructor(
    options: MetricStoreOptions,
    opened: {
      head: Head;
      restored: Restored;
      identity: number;
      snapshot: RestoredSnapshot | undefined;
    },
  ) {
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#time = new SteadyTime(options.clock);
    this.#retentionMs = options.retentionMs ?? retentionMsDefault;
    this.#carriage = options.carriage;
    this.#carriedThroughMs = options.carriage?.carriedThroughMs ?? Infinity;
    this.#head = opened.head;
    this.#marks = new HeadMarks(opened.head.share());
    this.#identity = opened.identity;
    this.restored = opened.restored;
    const { head, snapshot } = opened;
    this.#declarations = new Declarations(head);
    const files = {
      older: snapshot?.older ?? [],
      savedThrough: snapshot?.savedThrough ?? new Map(),
    };
    this.#snapshots = new SnapshotWriter(options.dir, head, this.#declarations, files);
    this.#older = new OlderRestore(options.dir, head, files.older);
    if (snapshot && files.older.length > 0) this.#restoreOlder(snapshot.recentFromMs);
    this.#seal(options.clock.nowMs());
    this.#dropLater();
  }

  /** Restores what was there. Rejects with the journal's and the file system's errors. */
  static async open(options: MetricStoreOptions): Promise<MetricStore> {
    await mkdir(options.dir, { recursive: true });
    const identity = (await options.journalReader.identity?.()) ?? 0;
    const head = new Head(options.head);
    const retentionMs = options.retentionMs ?? retentionMsDefault;
    const carriedThroughMs = options.carriage?.carriedThroughMs ?? Infinity;
    head.dropBefore(
      dropTime(options.clock.nowMs(), retentionMs, options.carriage, carriedThroughMs),
    );
    const warnings: string[] = [];
    let from = 0;
    let snapshot: RestoredSnapshot | undefined;
    try {
      snapshot = await readSnapshot(options.dir, head);
      if (snapshot) {
        head.refuseBefore(snapshot.droppedBeforeMs);
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
    const restored = {
      snapshotSamples: snapshot?.samples ?? 0,
      replayedSamples: replay.samples,
      warnings,
    };
    return new MetricStore(options, { head, restored, identity, snapshot });
  }

  /** For this thread. */
  reader(): MetricReader & ExemplarReader {
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

  openGroup(key: string, keeper?: RefKeeper): GroupRef {
    return this.#head.openGroup(key, keeper);
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
    if (outcome.appended > 0) {
      this.#marks.stored(timeMs, this.#clock.nowMs());
      this.#write(() => {
        this.#declare(this.#head.group(group));
        this.#encoder.page(group, timeMs, refs, values, count);
        this.#append(this.#encoder.frame());
      });
    }
    return outcome;
  }

  appendHistogram(
    group: GroupRef,
    ref: SeriesRef,
    timeMs: number,
    histogram: NativeHistogram,
  ): AppendOutcome {
    const outcome = this.#head.appendHistogram(group, ref, timeMs, histogram);
    if (outcome.appended > 0) {
      this.#marks.stored(timeMs, this.#clock.nowMs());
      this.#write(() => {
        this.#declare(this.#head.group(group));
        this.#encoder.histogram(group, ref, timeMs, histogram);
        this.#append(this.#encoder.frame());
      });
    }
    return outcome;
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void {
    if (!this.#head.appendExemplar(ref, exemplar)) return;
    const group = this.#head.groupOf(ref);
    this.#write(() => {
      this.#declare(this.#head.group(group));
      this.#encoder.exemplar(group, ref, exemplar);
      this.#append(this.#encoder.frame());
    });
  }

  closeGroup(group: GroupRef): void {
    this.#head.closeGroup(group);
  }

  /** Journals the names of series that are new in this epoch. */
  #declare(group: HeadGroup): void {
    const declared = this.#declared.get(group);
    if (declared === group.births) return;
    const { length } = group.refs;
    if (declared === undefined)
      for (const frame of this.#declarations.of(group)) this.#append(frame);
    else {
      let from = length;
      while (from > 0 && this.#head.bornOf(group.refs.at(from - 1)) > declared) from--;
      for (; from < length; from += declaredSeriesMax) {
        const end = Math.min(length, from + declaredSeriesMax);
        this.#append(this.#declarations.between(group, from, end));
      }
    }
    this.#declared.set(group, group.births);
  }

  #append(frame: Uint8Array): void {
    this.#position = this.#journal.append(metricFrameKind, frame);
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
    const nowMs = this.#clock.nowMs();
    const header = { position, identity: this.#identity, recentFromMs: nowMs - recentMs };
    const putInPlace = await this.#snapshots.write(header, this.#dropTime(nowMs));
    // Otherwise a crash could leave a journal that ends below, and grows past, the position.
    await this.#journal.flushed(this.#position);
    await putInPlace();
    return position;
  }

  #restoreOlder(recentFromMs: number): void {
    this.#head.restoringBefore(recentFromMs);
    const pause = () =>
      new Promise<void>((resume) => {
        this.#resume = resume;
        this.#clock.after(0, resume);
      });
    this.#restoring = this.#older.run(pause).finally(() => {
      this.#restoring = undefined;
    });
  }

  /** How far older samples have come back after a start; undefined when all have. Rules need not wait for it. */
  get restoring(): OlderProgress | undefined {
    return this.#restoring ? this.#older.progress : undefined;
  }

  /** Resolves when older samples have all come back. */
  async whole(): Promise<void> {
    await this.#restoring;
  }

  /** What kept older samples from coming back, for people. */
  get restoreWarnings(): readonly string[] {
    return this.#older.warnings;
  }

  #dropLater(): void {
    this.#cancelDrop = this.#clock.after(dropEveryMs, () => {
      const nowMs = this.#time.nowMs();
      this.#seal(nowMs);
      this.#drop(this.#dropTime(nowMs));
    });
  }

  #dropTime(nowMs: number): number {
    return dropTime(nowMs, this.#retentionMs, this.#carriage, this.#carriedThroughMs);
  }

  #seal(nowMs: number): void {
    if (!this.#carriage) return;
    const { sliceMs, sealAfterMs } = this.#carriage;
    const dueMs = Math.floor((nowMs - sealAfterMs) / sliceMs) * sliceMs;
    this.#head.sealThrough(Math.max(dueMs, this.#carriedThroughMs));
  }

  /** Samples at or before `ms` are in the history: they may leave the head when they are due. */
  carriedThrough(ms: number): void {
    this.#carriedThroughMs = Math.max(ms, this.#carriedThroughMs);
  }

  /** The time stays the same from step to step; a later one would begin anew. */
  #drop(beforeMs: number): void {
    if (this.#head.dropBefore(beforeMs)) this.#dropLater();
    else this.#cancelDrop = this.#clock.after(0, () => this.#drop(beforeMs));
  }

  /** Stops the clock's work and waits for a checkpoint under way. The journal stays open. */
  async close(): Promise<void> {
    this.#cancelDrop?.();
    this.#older.stop();
    this.#resume();
    await this.#restoring;
    await this.#checkpointing;
  }
}

/** Older samples may go: past the retention and carried, or past the age up to which they wait for that. */
function dropTime(
  nowMs: number,
  retentionMs: number,
  carriage: CarriageOptions | undefined,
  carriedThroughMs: number,
): number {
  const dueMs = nowMs - retentionMs;
  if (!carriage) return dueMs;
  const keepMsMax = Math.max(retentionMs, carriage.keepMsMax);
  return Math.max(Math.min(dueMs, carriedThroughMs + 1), nowMs - keepMsMax);
}
