/** A group as it goes into a snapshot and comes back from one. */
import { type GroupRef, type LabelSet, LimitError } from "@skopos/model";
import type { Families, FamilyBytes } from "./families.ts";
import type { GroupLock } from "./group-lock.ts";
import { familiesOf, type HeadGroup, type Places } from "./places.ts";
import type { Retention } from "./retention.ts";

export interface FamilyImage extends FamilyBytes {
  /** By column. */
  readonly labels: readonly LabelSet[];
}

export interface GroupImage {
  readonly key: string;
  readonly families: readonly FamilyImage[];
}

export class HeadImages {
  readonly #places: Places;
  readonly #families: Families;
  readonly #lock: GroupLock;
  readonly #retention: Retention;

  constructor(places: Places, families: Families, lock: GroupLock, retention: Retention) {
    this.#places = places;
    this.#families = families;
    this.#lock = lock;
    this.#retention = retention;
  }

  /** Everything in a group, as views that are valid until the next change of the head. */
  take(group: HeadGroup): GroupImage {
    const families = familiesOf(group);
    const names = new Map(families.map((family) => [family, [] as LabelSet[]]));
    const { refs, catalog } = this.#places;
    for (let i = 0; i < group.refs.length; i++) {
      const ref = group.refs.at(i);
      for (const { family, column } of catalog.members.places(refs.seriesOf.at(ref))) {
        const own = names.get(family);
        if (own) own[column] = this.#places.labels(ref);
      }
    }
    return {
      key: group.key,
      families: families.map((family) => ({
        ...this.#families.image(family),
        labels: names.get(family) ?? [],
      })),
    };
  }

  /** Puts a family of an image back; ordered families of a group before its late one. Throws `limit`. */
  restore(groupId: GroupRef, image: FamilyImage): void {
    const group = this.#places.group(groupId);
    const families = this.#families;
    const family = this.#places.createFamily(group, image.unordered);
    if (family === undefined) throw new LimitError("the head has no room for what it held before");
    for (const labels of image.labels) this.#places.restoreColumn(group, family, labels);
    this.#lock.around(group.id, () => {
      // Columns that were added while the image was taken: their samples come from the journal, to other columns.
      while (families.width(family) < image.columns) families.addColumn(family);
      for (const chunk of image.chunks) families.link(family, this.#retention.place(chunk));
      families.restoreWindow(family, image);
    });
    this.#places.publish();
    group.newestMs = Math.max(group.newestMs, families.newestMs(family));
    if (!image.unordered && image.samples === 0) families.startAfter(family, group.newestMs);
  }
}
