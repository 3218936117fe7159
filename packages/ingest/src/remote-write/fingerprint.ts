/**
 * 128-bit fingerprints of bytes: MurmurHash3_x86_128 (Austin Appleby, public domain), whose four words stand for what was
 * hashed. Among a million different label sets the chance that any two share one is about 10^-27. It does not withstand
 * somebody who looks for collisions, who could have sent the other series' labels as well.
 */
const c1 = 0x239b961b;
const c2 = 0xab0e9789 | 0;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93 | 0;

/** Hashes one thing after the other; `words` is the fingerprint of the last one. */
export class Fingerprint {
  readonly words = new Int32Array(4);
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** Of `view`'s bytes [start, end). */
  ofBytes(view: DataView, start: number, end: number): void {
    let h1 = this.#seed;
    let h2 = h1;
    let h3 = h1;
    let h4 = h1;
    let at = start;
    for (; at + 16 <= end; at += 16) {
      h1 ^= Math.imul(rotate(Math.imul(view.getInt32(at, true), c1), 15), c2);
      h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
      h2 ^= Math.imul(rotate(Math.imul(view.getInt32(at + 4, true), c2), 16), c3);
      h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
      h3 ^= Math.imul(rotate(Math.imul(view.getInt32(at + 8, true), c3), 17), c4);
      h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
      h4 ^= Math.imul(rotate(Math.imul(view.getInt32(at + 12, true), c4), 18), c1);
      h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
    }
    h1 ^= Math.imul(rotate(Math.imul(rest(view, at, end), c1), 15), c2);
    h2 ^= Math.imul(rotate(Math.imul(rest(view, at + 4, end), c2), 16), c3);
    h3 ^= Math.imul(rotate(Math.imul(rest(view, at + 8, end), c3), 17), c4);
    h4 ^= Math.imul(rotate(Math.imul(rest(view, at + 12, end), c4), 18), c1);
    this.#finish(h1, h2, h3, h4, end - start);
  }

  /** Of the fingerprints (four words each in `parts`) that the first `count` of `indexes` name, in this order. */
  ofParts(parts: Int32Array, indexes: Int32Array, count: number): void {
    let h1 = this.#seed;
    let h2 = h1;
    let h3 = h1;
    let h4 = h1;
    for (let i = 0; i < count; i++) {
      const at = 4 * (indexes[i] ?? 0);
      h1 ^= Math.imul(rotate(Math.imul(parts[at] ?? 0, c1), 15), c2);
      h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
      h2 ^= Math.imul(rotate(Math.imul(parts[at + 1] ?? 0, c2), 16), c3);
      h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
      h3 ^= Math.imul(rotate(Math.imul(parts[at + 2] ?? 0, c3), 17), c4);
      h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
      h4 ^= Math.imul(rotate(Math.imul(parts[at + 3] ?? 0, c4), 18), c1);
      h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
    }
    this.#finish(h1, h2, h3, h4, 16 * count);
  }

  #finish(first: number, second: number, third: number, fourth: number, length: number): void {
    let h1 = first ^ length;
    let h2 = second ^ length;
    let h3 = third ^ length;
    let h4 = fourth ^ length;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
    h1 = avalanche(h1);
    h2 = avalanche(h2);
    h3 = avalanche(h3);
    h4 = avalanche(h4);
    h1 = (h1 + h2 + h3 + h4) | 0;
    const { words } = this;
    words[0] = h1;
    words[1] = h2 + h1;
    words[2] = h3 + h1;
    words[3] = h4 + h1;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** The up to four bytes from `at` on, little-endian; 0 beyond the end. */
function rest(view: DataView, at: number, end: number): number {
  let word = 0;
  for (let i = Math.min(end, at + 4) - 1; i >= at; i--) word = (word << 8) | view.getUint8(i);
  return word;
}

function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
