/**
 * A hash table from a 32-bit hash to ids whose keys the caller holds in columns and compares itself. Open addressing,
 * linear probing, at most two thirds full; 12 bytes an entry at that. Ids are never removed.
 */
const empty = 0xffff_ffff;

export function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ Math.imul(value, 0x9e37_79b1), 0x85eb_ca6b);
  h ^= h >>> 15;
  return Math.imul(h, 0xc2b2_ae35) ^ (h >>> 13);
}

export class IdTable {
  #ids = new Uint32Array(64).fill(empty);
  #hashes = new Uint32Array(64);
  #count = 0;

  get sizeBytes(): number {
    return this.#ids.byteLength * 2;
  }

  /** Walk: `for (slot = first(hash); (id = at(slot)) !== undefined; slot = next(slot))`. Ids of other hashes may appear. */
  first(hash: number): number {
    return hash & (this.#ids.length - 1);
  }

  at(slot: number): number | undefined {
    const id = this.#ids[slot];
    return id === empty ? undefined : id;
  }

  next(slot: number): number {
    return (slot + 1) & (this.#ids.length - 1);
  }

  insert(hash: number, id: number): void {
    if (3 * (this.#count + 1) > 2 * this.#ids.length) this.#grow();
    this.#place(hash, id);
    this.#count++;
  }

  #place(hash: number, id: number): void {
    let slot = this.first(hash);
    while (this.#ids[slot] !== empty) slot = this.next(slot);
    this.#ids[slot] = id;
    this.#hashes[slot] = hash;
  }

  #grow(): void {
    const ids = this.#ids;
    const hashes = this.#hashes;
    this.#ids = new Uint32Array(ids.length * 2).fill(empty);
    this.#hashes = new Uint32Array(ids.length * 2);
    for (let slot = 0; slot < ids.length; slot++) {
      const id = ids[slot] ?? empty;
      if (id !== empty) this.#place(hashes[slot] ?? 0, id);
    }
  }
}
