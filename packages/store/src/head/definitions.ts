/**
 * The definition log: everything that gives names to the head's columns, in one append-only shared buffer that each view
 * folds into an index of its own. Records, numbers as LEB128 varints:
 *
 *     1 symbol   length, UTF-8 bytes          ids of symbols, bases and series are given in order
 *     2 base     count, then symbols: name, value, …
 *     3 series   base, name symbol, le symbol (0: none)
 *     4 member   series, family, column       the series' samples are (also) there
 *     5 family   family, group                (again) in use, by that group
 *     6 forget   series                       dead: no samples, no members
 *     7 leave    series, family               no longer there
 *
 * The writer publishes its length after the bytes. When much of it is dead the writer writes a log of the living into the
 * other buffer, piece by piece and unseen (`index-rebuild.ts`); then that one takes over (`logSequence` goes odd, then even)
 * and every view rebuilds its index.
 */
import { SkoposError } from "@skopos/model";
import type { DefinitionSink } from "./label-index.ts";
import { endOfList, LabelIndex } from "./label-index.ts";
import { GrowingColumn } from "./cells.ts";
import { controlWord, type HeadShare, writeLog } from "./memory.ts";

const op = { symbol: 1, base: 2, series: 3, member: 4, family: 5, forget: 6, leave: 7 } as const;

/** Some seconds: a writer that rewrites the log for longer has died inside. */
const spinsMax = 1_000_000_000;

/** Where the samples of series are: per series a linked list of (family, column). */
export class Members {
  readonly family = new GrowingColumn();
  readonly column = new GrowingColumn();
  readonly next = new GrowingColumn();
  readonly #first = new GrowingColumn();
  readonly familyGroup = new GrowingColumn();
  /** Series by family. */
  readonly #inFamily = new GrowingColumn();
  /** Entries that are nobody's, linked through `next`. */
  #free = endOfList;

  first(series: number): number {
    const { length } = this.#first;
    const stored = series < length ? this.#first.at(series) : 0;
    // Stored plus one, so that the zeros of a grown column mean "none".
    return stored === 0 ? endOfList : stored - 1;
  }

  add(series: number, family: number, column: number): void {
    const before = this.first(series);
    const member = this.#free === endOfList ? this.family.length : this.#free;
    if (member === this.#free) this.#free = this.next.at(member);
    this.family.set(member, family);
    this.column.set(member, column);
    this.next.set(member, before);
    this.#first.set(series, member + 1);
    this.#inFamily.set(family, this.countIn(family) + 1);
  }

  /** How many series a family has samples of. */
  countIn(family: number): number {
    return family < this.#inFamily.length ? this.#inFamily.at(family) : 0;
  }

  forget(series: number): void {
    for (let member = this.first(series); member !== endOfList;) {
      const next = this.next.at(member);
      this.#release(member);
      member = next;
    }
    if (series < this.#first.length) this.#first.set(series, 0);
  }

  isIn(series: number, family: number): boolean {
    for (let member = this.first(series); member !== endOfList; member = this.next.at(member))
      if (this.family.at(member) === family) return true;
    return false;
  }

  /** Takes the series out of a family. */
  leave(series: number, family: number): void {
    let before = endOfList;
    let member = this.first(series);
    while (member !== endOfList && this.family.at(member) !== family) {
      before = member;
      member = this.next.at(member);
    }
    if (member === endOfList) return;
    const after = this.next.at(member);
    if (before !== endOfList) this.next.set(before, after);
    else this.#first.set(series, after === endOfList ? 0 : after + 1);
    this.#release(member);
  }

  #release(member: number): void {
    const family = this.family.at(member);
    this.#inFamily.set(family, this.countIn(family) - 1);
    this.next.set(member, this.#free);
    this.#free = member;
  }

  /** Where a series is, oldest place first. */
  places(series: number): { family: number; column: number }[] {
    const out: { family: number; column: number }[] = [];
    for (let member = this.first(series); member !== endOfList; member = this.next.at(member))
      out.unshift({ family: this.family.at(member), column: this.column.at(member) });
    return out;
  }

  get sizeBytes(): number {
    const columns = [this.family, this.column, this.next, this.#first, this.familyGroup];
    return columns.reduce((total, column) => total + column.sizeBytes, 0);
  }
}

/** What a reader knows of names and places. */
export interface Catalog {
  readonly index: LabelIndex;
  readonly members: Members;
}

/** The writer's end of a log. It writes what it is told; readers see what is published of the log in use. */
export class DefinitionLog implements DefinitionSink {
  readonly #share: HeadShare;
  readonly #control: Int32Array;
  readonly #buffer: number;
  readonly #encoder = new TextEncoder();
  #pending = new Uint8Array(4096);
  #pendingLength = 0;
  #length = 0;

  private constructor(share: HeadShare, buffer: number) {
    this.#share = share;
    this.#control = new Int32Array(share.control);
    this.#buffer = buffer;
  }

  /** The log of a head that is new. */
  static first(share: HeadShare): DefinitionLog {
    return new DefinitionLog(share, 0);
  }

  /** An empty log in the other buffer, which readers do not see before it takes over. One at a time. */
  successor(): DefinitionLog {
    return new DefinitionLog(this.#share, 1 - this.#buffer);
  }

  /** Bytes, unpublished ones included. */
  get length(): number {
    return this.#length + this.#pendingLength;
  }

  symbol(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.#write(op.symbol, bytes.length);
    this.#reserve(bytes.length);
    this.#pending.set(bytes, this.#pendingLength);
    this.#pendingLength += bytes.length;
  }

  base(symbols: readonly number[]): void {
    this.#write(op.base, symbols.length);
    for (const symbol of symbols) this.#varint(symbol);
  }

  series(base: number, name: number, bucket: number): void {
    this.#write(op.series, base);
    this.#varint(name);
    this.#varint(bucket);
  }

  member(series: number, family: number, column: number): void {
    this.#write(op.member, series);
    this.#varint(family);
    this.#varint(column);
  }

  family(family: number, group: number): void {
    this.#write(op.family, family);
    this.#varint(group);
  }

  forget(series: number): void {
    this.#write(op.forget, series);
  }

  leave(series: number, family: number): void {
    this.#write(op.leave, series);
    this.#varint(family);
  }

  /** Makes what was written visible and returns the length. Throws `limit` when the buffer is full. */
  publish(): number {
    if (this.#pendingLength > 0) {
      this.store();
      Atomics.store(this.#control, controlWord.logLength, this.#length);
    }
    return this.#length;
  }

  /** Puts what was written where it belongs, without telling. Throws `limit` when the buffer is full. */
  store(): void {
    const bytes = this.#pending.subarray(0, this.#pendingLength);
    writeLog(this.#share.definitions[this.#buffer === 0 ? 0 : 1], this.#length, bytes);
    this.#length += this.#pendingLength;
    this.#pendingLength = 0;
  }

  /** Becomes the log that readers see; `change` goes with it, and readers read nothing meanwhile. Throws `limit`. */
  takeOver(change: () => void): void {
    this.store();
    Atomics.add(this.#control, controlWord.logSequence, 1);
    change();
    Atomics.store(this.#control, controlWord.logInUse, this.#buffer);
    Atomics.store(this.#control, controlWord.logLength, this.#length);
    Atomics.add(this.#control, controlWord.logSequence, 1);
  }

  #write(operation: number, first: number): void {
    this.#reserve(1);
    this.#pending[this.#pendingLength++] = operation;
    this.#varint(first);
  }

  #varint(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest >= 128) {
      this.#pending[this.#pendingLength++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#pending[this.#pendingLength++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#pendingLength + bytes <= this.#pending.length) return;
    const grown = new Uint8Array(Math.max(this.#pending.length * 2, this.#pendingLength + bytes));
    grown.set(this.#pending);
    this.#pending = grown;
  }
}

/** A view's end: an index that catches up with the log when asked. */
export class FoldedDefinitions {
  readonly #share: HeadShare;
  readonly #control: Int32Array;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #sequence = -1;
  #folded = 0;
  #catalog: Catalog = { index: new LabelIndex(), members: new Members() };

  constructor(share: HeadShare) {
    this.#share = share;
    this.#control = new Int32Array(share.control);
  }

  /** How far `catalog()` had come: a log length, comparable with `definedAt` of groups. */
  get foldedTo(): number {
    return this.#folded;
  }

  /** Whether the catalog knows everything that was defined up to a group's `definedAt`. */
  covers(definedAt: number): boolean {
    return (
      definedAt <= this.#folded &&
      Atomics.load(this.#control, controlWord.logSequence) === this.#sequence
    );
  }

  /** Whether the log has moved since the last `catalog()`. */
  get behind(): boolean {
    return (
      Atomics.load(this.#control, controlWord.logLength) !== this.#folded ||
      Atomics.load(this.#control, controlWord.logSequence) !== this.#sequence
    );
  }

  /** Folds what is new. The catalog returned is changed by the next call. Throws `unavailable`. */
  catalog(): Catalog {
    for (let i = 0; i < spinsMax; i++) {
      const sequence = Atomics.load(this.#control, controlWord.logSequence);
      if (sequence % 2 !== 0) continue; // the writer is rewriting the log
      if (sequence !== this.#sequence) {
        this.#catalog = { index: new LabelIndex(), members: new Members() };
        this.#folded = 0;
        this.#sequence = sequence;
      }
      const inUse = Atomics.load(this.#control, controlWord.logInUse);
      const length = Atomics.load(this.#control, controlWord.logLength);
      if (length < this.#folded) continue;
      const bytes = new Uint8Array(length - this.#folded);
      const buffer = this.#share.definitions[inUse === 0 ? 0 : 1];
      if (length <= buffer.byteLength)
        bytes.set(new Uint8Array(buffer, this.#folded, bytes.length));
      // A restart in between may have left half of the one and half of the other.
      if (Atomics.add(this.#control, controlWord.logSequence, 0) !== sequence) continue;
      this.#fold(bytes);
      this.#folded = length;
      return this.#catalog;
    }
    throw new SkoposError(
      "unavailable",
      "the metrics head has been renaming its series for too long",
    );
  }

  #fold(bytes: Uint8Array): void {
    const { index, members } = this.#catalog;
    let at = 0;
    const varint = () => {
      let value = 0;
      let shift = 0;
      for (;;) {
        const byte = bytes[at++] ?? 0;
        value |= (byte & 127) << shift;
        if (byte < 128) return value >>> 0;
        shift += 7;
      }
    };
    while (at < bytes.length) {
      const operation = bytes[at++];
      const first = varint();
      if (operation === op.symbol) {
        index.addSymbol(this.#decoder.decode(bytes.subarray(at, at + first)));
        at += first;
      } else if (operation === op.base) {
        const symbols: number[] = [];
        for (let i = 0; i < first; i++) symbols.push(varint());
        index.addBase(symbols);
      } else if (operation === op.series) index.addSeries(first, varint(), varint());
      else if (operation === op.member) members.add(first, varint(), varint());
      else if (operation === op.family) members.familyGroup.set(first, varint());
      else if (operation === op.forget) {
        index.forget(first);
        members.forget(first);
      } else if (operation === op.leave) members.leave(first, varint());
      else throw new Error(`definition log: unknown record ${String(operation)}`);
    }
  }
}
