/**
 * Finds the series of a group that have no samples left in the head, and has them forgotten: pods come and go inside
 * groups that stay (a sender of remote write, kube-state-metrics, a federated server), and what they leave must not add up.
 *
 * A column can only become empty when chunks of its family are dropped, or when the whole family has aged, so only such
 * families are looked at: one pass over their chunks' offsets, which ends at the first chunk that has every column.
 */
import type { SeriesRef } from "@skopos/model";
import { GrowingColumn } from "./cells.ts";
import type { Families } from "./families.ts";
import { endOfList } from "./label-index.ts";
import { familyColumnsMax } from "./memory.ts";
import type { HeadGroup, Places } from "./places.ts";

export class IdleSeries {
  readonly #places: Places;
  readonly #families: Families;
  /** What was found of the families looked at, one behind the other; and by family where, plus one. */
  #held = new Uint8Array(familyColumnsMax);
  readonly #heldAt = new GrowingColumn();

  constructor(places: Places, families: Families) {
    this.#places = places;
    this.#families = families;
  }

  /** Forgets series without samples at or after `ms` in families that have lost some. */
  forget(group: HeadGroup, ms: number): void {
    this.#forgetLate(group, ms);
    const shrunk = group.families.filter((family) => this.#hasShrunk(family, ms));
    if (shrunk.length === 0) return;
    if (this.#held.length < shrunk.length * familyColumnsMax)
      this.#held = new Uint8Array(shrunk.length * familyColumnsMax);
    for (const [i, family] of shrunk.entries()) {
      this.#families.markHeld(family, ms, this.#held.subarray(i * familyColumnsMax));
      this.#heldAt.set(family, i * familyColumnsMax + 1);
    }
    const gone = this.#idle(group, ms);
    for (const family of shrunk) this.#heldAt.set(family, 0);
    if (gone.size > 0) this.#places.forgetSeries(group, gone);
  }

  #hasShrunk(family: number, ms: number): boolean {
    const aged = this.#families.newestMs(family) < ms;
    return this.#families.takeShrunk(family) || aged;
  }

  /** Series whose samples go to a family at hand, and that have none there nor elsewhere in the group. */
  #idle(group: HeadGroup, ms: number): Set<SeriesRef> {
    const { familyOf, columnOf } = this.#places.refs;
    const { refs } = group;
    const gone = new Set<SeriesRef>();
    for (let i = 0; i < refs.length; i++) {
      const ref = refs.at(i);
      const family = familyOf.at(ref);
      const heldAt = family < this.#heldAt.length ? this.#heldAt.at(family) : 0;
      if (heldAt === 0 || this.#held[heldAt - 1 + columnOf.at(ref)] === 1) continue;
      if (this.#isHeldElsewhere(group, ref, family, ms)) this.#families.markShrunk(family);
      else gone.add(ref);
    }
    return gone;
  }

  #isHeldElsewhere(group: HeadGroup, ref: SeriesRef, own: number, ms: number): boolean {
    const { members } = this.#places.catalog;
    const first = members.first(this.#places.refs.seriesOf.at(ref));
    for (let member = first; member !== endOfList; member = members.next.at(member)) {
      const family = members.family.at(member);
      if (family === own || members.familyGroup.at(family) !== group.id) continue;
      if (this.#families.isHeld(family, members.column.at(member), ms)) return true;
    }
    return false;
  }

  #forgetLate(group: HeadGroup, ms: number): void {
    const { late } = group;
    if (!late || !this.#hasShrunk(late.family, ms)) return;
    this.#families.markHeld(late.family, ms, this.#held);
    const gone = new Set<SeriesRef>();
    for (const [ref, column] of late.columns) if (this.#held[column] !== 1) gone.add(ref);
    this.#places.forgetLate(group, gone);
  }
}
