/** A group as it goes into a snapshot and comes back from one. */
import { type GroupRef, type LabelSet, LimitError } from "@skopos/model";
import { newestMsOfChunk, samplesOfChunk } from "./chunk.ts";
import type { Families, FamilyBytes } from "./families.ts";
import type { GroupLock } from "./group-lock.ts";
import { familiesOf, type HeadGroup, type Places } from "./places.ts";
import type { Retention } from "./retention.ts";

export interface FamilyImage extends FamilyBytes {
  /** By column: the series' ref plus one, 0 where a column is nobody's. */
  readonly refs: Uint32Array;
}

/** A family's chunks that are older than those in its image. */
export interface OlderChunks {
  /** Of the family. */
  readonly uid: number;
  /** Oldest first. */
  readonly chunks: readonly Uint8Array[];
}

export class HeadImages {
  readonly #places: Places;
  readonly #families: Families;
  readonly #lock: GroupLock;
  readonly #retention: Retention;
  /** By uid, of families that were restored and may still get their older chunks. */
  readonly #restored = new Map<number, { readonly group: HeadGroup; readonly family: number }>();

  constructor(places: Places, families: Families, lock: GroupLock, retention: Retention) {
    this.#places = places;
    this.#families = families;
    this.#lock = lock;
    this.#retention = retention;
  }

  /** A group's families without the chunks that end before `chunksFromMs`; views, valid until the head changes. */
  take(group: HeadGroup, chunksFromMs: number): FamilyImage[] {
    const families = familiesOf(group);
    const images = families.map((family) => this.#families.image(family, chunksFromMs));
    const columns = new Map(
      families.map((family, i) => [family, new Uint32Array(images[i]?.columns ?? 0)]),
    );
    const { refs, catalog } = this.#places;
    for (let i = 0; i < group.refs.length; i++) {
      const ref = group.refs.at(i);
      for (const { family, column } of catalog.members.places(refs.seriesOf.at(ref))) {
        const own = columns.get(family);
        if (own) own[column] = ref + 1;
      }
    }
    return images.map((image, i) => ({
      ...image,
      refs: columns.get(families[i] ?? -1) ?? new Uint32Array(),
    }));
  }

  /** Chunks of a group's ordered families that end before `beforeMs`; views, valid until the head changes. */
  older(group: HeadGroup, beforeMs: number): OlderChunks[] {
    const out: OlderChunks[] = [];
    for (const family of group.families) {
      const chunks = [...this.#families.chunksBetween(family, -Infinity, beforeMs)];
      if (chunks.length > 0) out.push({ uid: this.#families.uid(family), chunks });
    }
    return out;
  }

  /**
   * Puts a family of an image back; ordered families of a group before its late one. `labelsOf` a ref plus one, as the
   * image has it. Throws `limit`.
   */
  restore(
    groupId: GroupRef,
    image: FamilyImage,
    labelsOf: (ref: number) => LabelSet | undefined,
  ): void {
    const group = this.#places.group(groupId);
    const families = this.#families;
    const family = this.#places.createFamily(group, image.unordered, image.columns);
    if (family === undefined) throw new LimitError("the head has no room for what it held before");
    families.restoreUid(family, image.uid);
    const nobodys: number[] = [];
    for (const ref of image.refs) {
      const column = this.#places.restoreColumn(group, family, labelsOf(ref));
      if (ref === 0) nobodys.push(column);
    }
    this.#lock.around(group.id, () => {
      for (const chunk of image.chunks) families.link(family, this.#retention.place(chunk));
      families.restoreWindow(family, image);
      for (const column of nobodys) families.freeColumn(family, column);
    });
    this.#places.publish();
    families.startAfter(family, Math.max(image.newestMs, families.newestMs(family)));
    group.newestMs = Math.max(group.newestMs, image.newestMs);
    if (!image.unordered) this.#restored.set(image.uid, { group, family });
  }

  /** Puts older chunks in front of a restored family's. Returns the samples restored; undefined when memory is full. */
  restoreOlder({ uid, chunks }: OlderChunks): number | undefined {
    const found = this.#restored.get(uid);
    // Released since: nobody misses them.
    if (!found || !this.#isLive(found.group, found.family, uid)) return 0;
    const pointers: number[] = [];
    let samples = 0;
    for (const chunk of chunks) {
      if (newestMsOfChunk(chunk) < this.#retention.cutoffMs) continue;
      const pointer = this.#families.place(chunk);
      if (pointer === undefined) return undefined;
      pointers.push(pointer);
      samples += samplesOfChunk(chunk);
    }
    const { group, family } = found;
    this.#lock.around(group.id, () => this.#families.linkBefore(family, pointers));
    return samples;
  }

  #isLive(group: HeadGroup, family: number, uid: number): boolean {
    return (
      this.#places.groupAt(group.id) === group &&
      group.families.includes(family) &&
      this.#families.uid(family) === uid
    );
  }

  /** No older chunks will come any more. */
  restoredAll(): void {
    this.#restored.clear();
  }
}
