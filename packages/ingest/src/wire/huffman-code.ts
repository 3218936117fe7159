/**
 * A canonical prefix code of DEFLATE (RFC 1951, 3.2.2), made again and again in the same memory: a table by the next bits for
 * codes that are short, counting by length for those that are not.
 */
const codeBitsMax = 15;
/** Of a table entry: symbol and length of its code. */
export const entryLengthBits = 4;
export const entryLengthMask = 15;

export class HuffmanCode {
  /** By the next `tableBits` bits: symbol and length, 0 where the code is longer or none. */
  readonly table: Uint16Array;
  /** Codes by length, and all symbols in the order of their codes. */
  readonly #counts = new Uint16Array(codeBitsMax + 1);
  readonly #symbols: Uint16Array;
  readonly #next = new Uint16Array(codeBitsMax + 2);

  constructor(tableBits: number, symbolsMax: number) {
    this.table = new Uint16Array(2 ** tableBits);
    this.#symbols = new Uint16Array(symbolsMax);
  }

  /**
   * Takes the code that gives symbol i a length of `lengths[from + i]`, 0 for none. False when there is no such code, or one
   * that leaves bits without a symbol; a single symbol, or none, may.
   */
  make(lengths: Uint8Array, from: number, count: number): boolean {
    const counts = this.#counts.fill(0);
    for (let i = 0; i < count; i++) {
      const length = lengths[from + i] ?? 0;
      counts[length] = (counts[length] ?? 0) + 1;
    }
    const coded = count - (counts[0] ?? 0);
    counts[0] = 0;
    const next = this.#next;
    next[1] = 0;
    let left = 1;
    for (let length = 1; length <= codeBitsMax; length++) {
      const own = counts[length] ?? 0;
      left = 2 * left - own;
      if (left < 0) return false;
      next[length + 1] = (next[length] ?? 0) + own;
    }
    if (left > 0 && (coded > 1 || (coded === 1 && counts[1] !== 1))) return false;
    for (let i = 0; i < count; i++) {
      const length = lengths[from + i] ?? 0;
      if (length === 0) continue;
      const place = next[length] ?? 0;
      this.#symbols[place] = i;
      next[length] = place + 1;
    }
    this.#fill();
    return true;
  }

  #fill(): void {
    const table = this.table.fill(0);
    let code = 0;
    let place = 0;
    for (let length = 1; 1 << length <= table.length; length++) {
      for (let k = this.#counts[length] ?? 0; k > 0; k--) {
        const entry = ((this.#symbols[place++] ?? 0) << entryLengthBits) | length;
        for (let i = reversed(code, length); i < table.length; i += 1 << length) table[i] = entry;
        code++;
      }
      code <<= 1;
    }
  }

  /** The entry of the code that begins `bits`, lowest bit first, whatever its length; 0 when there is none. */
  find(bits: number): number {
    let code = 0;
    let first = 0;
    let place = 0;
    for (let length = 1; length <= codeBitsMax; length++) {
      code = (code << 1) | ((bits >>> (length - 1)) & 1);
      const count = this.#counts[length] ?? 0;
      first <<= 1;
      if (code - first < count)
        return ((this.#symbols[place + code - first] ?? 0) << entryLengthBits) | length;
      place += count;
      first += count;
    }
    return 0;
  }
}

function reversed(code: number, length: number): number {
  let out = 0;
  for (let i = 0; i < length; i++) out |= ((code >>> i) & 1) << (length - 1 - i);
  return out;
}
