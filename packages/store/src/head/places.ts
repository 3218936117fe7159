/**
 * Names and places, the writer's side: which groups and series there are, and in which column of which family the next
 * sample of a ref goes. Everything that changes names is told to other threads through the definition log.
 *
 * A group's series fill ordered families of up to `familyColumnsMax` columns; late samples have a family of their own
 * per group (see `head.ts`). Series of released groups, and series without samples of groups that go on
 * (`idle-series.ts`), are forgotten: their refs and columns become others', their names go when the index is rebuilt.
 *
 * Limits: groups, series, series of a group (`PlaceLimits`), families of a group (`groupFamiliesMax`).
 */
import {
  type GroupRef,
  type LabelSet,
  LimitError,
  type RefKeeper,
  type SeriesRef,
} from "@skopos/model";
import { GrowingColumn, u32 } from "./cells.ts";
import { type Catalog, DefinitionLog, Members } from "./definitions.ts";
import type { ExemplarStore } from "./exemplars.ts";
import type { Families } from "./families.ts";
import type { GroupLock } from "./group-lock.ts";
import { IndexRebuild } from "./index-rebuild.ts";
import { endOfList, LabelIndex } from "./label-index.ts";
import type { HeadShare } from "./memory.ts";
import { SeriesRefs } from "./series-refs.ts";

export interface PlaceLimits {
  readonly seriesMax: number;
  readonly groupSeriesMax: number;
  readonly groupsMax: number;
}

export interface HeadGroup {
  readonly id: GroupRef;
  readonly key: string;
  /** In the order in which they were made. */
  readonly refs: GrowingColumn;
  /** How many refs were ever made, forgotten ones included. */
  births: number;
  /** How many were forgotten. */
  deaths: number;
  /** Hears what is forgotten. */
  keeper: RefKeeper | undefined;
  readonly families: number[];
  late: { readonly family: number; readonly columns: Map<SeriesRef, number> } | undefined;
  newestMs: number;
  closed: boolean;
}

export interface Place {
  readonly family: number;
  readonly column: number;
}

/** Beyond it a group's members stay where they are, holes or not. */
const groupFamiliesMax = 256;
/** Forgetting rebuilds the index when more than this many series, and half of all, are dead. */
const deadSeriesMin = 10_000;
/** And when the log of definitions is longer than this, and than so much for each series: most of it is history then. */
const logBytesMin = 2 ** 24;
const logBytesPerSeries = 256;
/** Of a family's columns, the part that must be nobody's before new series are put among its own. */
const reuseShare = 1 / 8;

export class Places {
  readonly #limits: PlaceLimits;
  #log: DefinitionLog;
  readonly #families: Families;
  readonly #lock: GroupLock;
  readonly #exemplars: ExemplarStore;
  readonly #groups: (HeadGroup | undefined)[] = [];
  readonly #freeGroups: number[] = [];
  readonly #groupOfKey = new Map<string, HeadGroup>();
  readonly refs = new SeriesRefs();
  #catalog: Catalog = { index: new LabelIndex(), members: new Members() };
  /** What will take the catalog's place. */
  #rebuild: IndexRebuild | undefined;

  constructor(
    share: HeadShare,
    families: Families,
    lock: GroupLock,
    limits: PlaceLimits,
    exemplars: ExemplarStore,
  ) {
    this.#limits = limits;
    this.#exemplars = exemplars;
    this.#log = DefinitionLog.first(share);
    this.#families = families;
    this.#lock = lock;
  }

  get catalog(): Catalog {
    return this.#catalog;
  }

  get groupCount(): number {
    return this.#groupOfKey.size;
  }

  /** One more than the highest number of a group. */
  get groupsEnd(): number {
    return this.#groups.length;
  }

  get sizeBytes(): number {
    const { index, members } = this.#catalog;
    const rebuilt = this.#rebuild?.sizeBytes ?? 0;
    return index.sizeBytes + members.sizeBytes + this.refs.sizeBytes + this.#log.length + rebuilt;
  }

  /** Lets other threads know every name that was made. */
  publish(): void {
    this.#log.publish();
  }

  /** Throws `limit` when there are too many groups. */
  openGroup(key: string, keeper?: RefKeeper): GroupRef {
    const known = this.#groupOfKey.get(key);
    if (known) {
      known.closed = false;
      known.keeper = keeper ?? known.keeper;
      return known.id;
    }
    const id = this.#freeGroups.pop() ?? this.#groups.length;
    if (id >= this.#limits.groupsMax)
      throw new LimitError(
        `the head has ${this.#limits.groupsMax} groups of series already; raise groupsMax`,
      );
    const group: HeadGroup = {
      id,
      key,
      refs: new GrowingColumn(8),
      births: 0,
      deaths: 0,
      keeper,
      families: [],
      late: undefined,
      newestMs: -Infinity,
      closed: false,
    };
    this.#groups[id] = group;
    this.#groupOfKey.set(key, group);
    return id;
  }

  /** The open group of a number. */
  group(id: GroupRef): HeadGroup {
    const group = this.#groups[id];
    if (!group) throw new Error(`invariant broken: group ${id} is not open`);
    return group;
  }

  /** The group of a number, if it is open. */
  groupAt(id: number): HeadGroup | undefined {
    return this.#groups[id];
  }

  groups(): HeadGroup[] {
    return [...this.#groupOfKey.values()];
  }

  labels(ref: SeriesRef): LabelSet {
    return this.#catalog.index.labels(this.refs.seriesOf.at(ref));
  }

  /** Finds or makes a series of a group; undefined at a limit. */
  series(groupId: GroupRef, labels: LabelSet): SeriesRef | undefined {
    const group = this.group(groupId);
    const { index } = this.#catalog;
    const known = index.lookup(labels);
    if (known !== undefined) {
      const ref = this.refs.find(group.id, known);
      if (ref !== undefined) return ref;
    }
    const { seriesMax, groupSeriesMax } = this.#limits;
    if (this.refs.live >= seriesMax || group.refs.length >= groupSeriesMax) return undefined;
    const place = this.#placeColumn(group);
    if (!place) return undefined;
    const series = known ?? index.internSeries(labels, this.#log);
    return this.#addRef(group, series, place);
  }

  #addRef(group: HeadGroup, series: number, { family, column }: Place): SeriesRef {
    this.#addMember(series, family, column);
    const ref = this.refs.add(group.id, ++group.births, series, family, column);
    group.refs.push(ref);
    return ref;
  }

  /** A column for a new series: in the group's newest ordered family, where others have left, or in a new family. */
  #placeColumn(group: HeadGroup): Place | undefined {
    let family = group.families.at(-1);
    if (family === undefined || this.#families.room(family) === 0) {
      family = this.#roomiest(group) ?? this.createFamily(group, false);
      if (family === undefined) return undefined;
    }
    const column = this.addColumn(group, family);
    return column === undefined ? undefined : { family, column };
  }

  /** The ordered family that most columns were left in, if that is a good part of it. */
  #roomiest(group: HeadGroup): number | undefined {
    let found: number | undefined;
    let most = 0;
    for (const family of group.families) {
      const free = this.#families.freeColumns(family);
      if (free <= most || free < reuseShare * this.#families.width(family)) continue;
      found = family;
      most = free;
    }
    return found;
  }

  /** A new family of the group: its newest ordered one, or the one for late samples. Undefined at a limit. */
  createFamily(group: HeadGroup, unordered: boolean, columnsExpected = 1): number | undefined {
    const family = this.#families.create(group.id, unordered, columnsExpected);
    if (family === undefined) return undefined;
    this.#log.family(family, group.id);
    this.#catalog.members.familyGroup.set(family, group.id);
    this.#rebuild?.family(family, group.id);
    // The number may have been another group's: readers must know of that before they read.
    this.#lock.defined(group.id, this.#log.publish());
    if (unordered) group.late = { family, columns: new Map() };
    else group.families.push(family);
    return family;
  }

  addColumn(group: HeadGroup, family: number): number | undefined {
    if (!this.#families.isFull(family)) return this.#families.addColumn(family);
    return this.#lock.around(group.id, () => this.#families.addColumn(family));
  }

  #addMember(series: number, family: number, column: number): void {
    this.#log.member(series, family, column);
    this.#catalog.members.add(series, family, column);
    this.#rebuild?.member(series, family, column);
  }

  /** Where late samples of a ref go. Throws `limit`. */
  lateColumn(group: HeadGroup, ref: SeriesRef): Place {
    const refused = "the head has no room for late samples; raise openBytesMax";
    if (!group.late && this.createFamily(group, true) === undefined) throw new LimitError(refused);
    const { late } = group;
    if (!late) throw new LimitError(refused);
    const known = late.columns.get(ref);
    if (known !== undefined) return { family: late.family, column: known };
    const column = this.addColumn(group, late.family);
    if (column === undefined) throw new LimitError(refused);
    late.columns.set(ref, column);
    this.#addMember(this.refs.seriesOf.at(ref), late.family, column);
    this.#log.publish();
    return { family: late.family, column };
  }

  /** Gives those of the refs whose samples go to `from` a family of their own. */
  split(group: HeadGroup, from: number, refs: Uint32Array, count: number): void {
    if (group.families.length >= groupFamiliesMax) return;
    const family = this.createFamily(group, false, count);
    if (family === undefined) return;
    // What comes behind this is late, as it was before.
    this.#families.startAfter(family, this.#families.newestMs(from));
    for (let i = 0; i < count; i++) {
      const ref = u32(refs, i);
      if (this.refs.familyOf.at(ref) !== from) continue;
      const column = this.addColumn(group, family);
      if (column === undefined) break;
      this.#addMember(this.refs.seriesOf.at(ref), family, column);
      this.refs.move(ref, family, column);
    }
    this.#log.publish();
  }

  /**
   * Puts a series that was there before a restart into the next column of a family; without labels the column is nobody's
   * for now. Returns the column. Throws `limit`.
   */
  restoreColumn(group: HeadGroup, family: number, labels: LabelSet | undefined): number {
    const column = this.#lock.around(group.id, () => this.#families.appendColumn(family));
    if (column === undefined) throw new LimitError("the head has no room for what it held before");
    if (labels) this.#restoreSeries(group, family, column, labels);
    return column;
  }

  #restoreSeries(group: HeadGroup, family: number, column: number, labels: LabelSet): void {
    const series = this.#catalog.index.internSeries(labels, this.#log);
    const known = this.refs.find(group.id, series);
    if (known === undefined) {
      this.#addRef(group, series, { family, column });
      return;
    }
    this.#addMember(series, family, column);
    if (group.late?.family === family) group.late.columns.set(known, column);
    else this.refs.move(known, family, column);
  }

  /**
   * Forgets series of a group, given by refs, which have no samples any more. Their refs, columns and names are others'
   * from now on; the group's keeper is told.
   */
  forgetSeries(group: HeadGroup, gone: ReadonlySet<SeriesRef>): void {
    this.#lock.around(group.id, () => {
      for (const ref of gone) {
        this.#vacate(group, ref);
        this.#removeRef(group, ref);
      }
      this.#lock.defined(group.id, this.#log.publish());
    });
    const { refs } = group;
    let kept = 0;
    for (let i = 0; i < refs.length; i++)
      if (!gone.has(refs.at(i))) refs.array[kept++] = refs.at(i);
    refs.length = kept;
    group.deaths += gone.size;
    group.keeper?.forget(gone);
  }

  /** Gives back the columns of a series in families of the group. */
  #vacate(group: HeadGroup, ref: SeriesRef): void {
    const { members } = this.#catalog;
    const first = members.first(this.refs.seriesOf.at(ref));
    for (let member = first; member !== endOfList; member = members.next.at(member)) {
      const family = members.family.at(member);
      if (members.familyGroup.at(family) === group.id)
        this.#families.freeColumn(family, members.column.at(member));
    }
    group.late?.columns.delete(ref);
  }

  /** Forgets that series of a group, given by refs, had late samples, because they have none any more. */
  forgetLate(group: HeadGroup, gone: ReadonlySet<SeriesRef>): void {
    const { late } = group;
    if (!late || gone.size === 0) return;
    this.#lock.around(group.id, () => {
      for (const ref of gone) {
        this.#leave(this.refs.seriesOf.at(ref), late.family);
        const column = late.columns.get(ref);
        if (column !== undefined) this.#families.freeColumn(late.family, column);
        late.columns.delete(ref);
      }
      if (late.columns.size === 0) {
        this.#families.release(late.family);
        group.late = undefined;
      }
      this.#lock.defined(group.id, this.#log.publish());
    });
  }

  #leave(series: number, family: number): void {
    const { members } = this.#catalog;
    if (!members.isIn(series, family)) return;
    this.#log.leave(series, family);
    members.leave(series, family);
    this.#rebuild?.leave(series, family);
  }

  /** Forgets a group with all it has. */
  release(group: HeadGroup): void {
    this.#lock.around(group.id, () => {
      for (let i = 0; i < group.refs.length; i++) this.#removeRef(group, group.refs.at(i));
      for (const family of familiesOf(group)) this.#families.release(family);
      this.#lock.defined(group.id, this.#log.publish());
    });
    this.#groupOfKey.delete(group.key);
    this.#groups[group.id] = undefined;
    this.#freeGroups.push(group.id);
  }

  /** Forgets an ordered family whose members have all moved on. */
  releaseFamily(group: HeadGroup, family: number): void {
    const { members } = this.#catalog;
    this.#lock.around(group.id, () => {
      for (let i = 0; i < group.refs.length && members.countIn(family) > 0; i++)
        this.#leave(this.refs.seriesOf.at(group.refs.at(i)), family);
      this.#families.release(family);
      group.families.splice(group.families.indexOf(family), 1);
      this.#lock.defined(group.id, this.#log.publish());
    });
  }

  #removeRef(group: HeadGroup, ref: SeriesRef): void {
    const { index, members } = this.#catalog;
    const series = this.refs.seriesOf.at(ref);
    if (this.refs.remove(ref)) {
      this.#log.forget(series);
      index.forget(series);
      members.forget(series);
      this.#rebuild?.forget(series);
      return;
    }
    for (const family of familiesOf(group)) this.#leave(series, family);
  }

  /** Rebuilds the index when most of it is dead, up to `seriesPerStep` series a call; true when there is nothing to do. */
  forgetDead(seriesPerStep: number): boolean {
    const { index } = this.#catalog;
    const mostlyDead = index.deadCount >= deadSeriesMin && index.deadCount * 2 >= index.seriesCount;
    const live = index.seriesCount - index.deadCount;
    const tooLong = this.#log.length > Math.max(logBytesMin, logBytesPerSeries * live);
    if (!this.#rebuild && !mostlyDead && !tooLong) return true;
    return this.rebuildIndex(seriesPerStep);
  }

  /**
   * Writes the names of living series anew, without the dead, up to `seriesPerStep` series a call; true when it is done.
   * Readers go on with the names that are there, and rebuild theirs when they look after that.
   */
  rebuildIndex(seriesPerStep: number): boolean {
    const rebuild = (this.#rebuild ??= this.#beginRebuild());
    if (!rebuild.step(seriesPerStep)) return false;
    const { log, catalog, renumbered } = rebuild;
    const { index: before } = this.#catalog;
    log.takeOver(() => {
      for (const group of this.groups()) this.#lock.defined(group.id, 0);
      this.#exemplars.renumber((old) => (before.isDead(old) ? undefined : renumbered.at(old)));
    });
    this.refs.renumber(renumbered);
    this.#log = log;
    this.#catalog = catalog;
    this.#rebuild = undefined;
    return true;
  }

  #beginRebuild(): IndexRebuild {
    const rebuild = new IndexRebuild(this.#catalog, this.#log.successor());
    for (const group of this.groups())
      for (const family of familiesOf(group)) rebuild.family(family, group.id);
    return rebuild;
  }
}

export function familiesOf(group: HeadGroup): number[] {
  return group.late ? [...group.families, group.late.family] : group.families;
}
