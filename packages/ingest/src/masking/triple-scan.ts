/**
 * Tells quickly of nearly every text that none of some expressions can match it: each expression names the runs of three
 * characters of which every match of it holds one, and a text is passed over once for all of them. Letters count without
 * regard to case and rare characters alike, so that three of them are a number of fifteen bits; what is too much is found,
 * never too little.
 */
const bits = 5;
const tripleCount = 1 << (3 * bits);

/** Classes of characters. What begins a parameter of a URL is one, and so is what joins words to names. */
const classes = classTable();

function classTable(): Uint8Array {
  const table = new Uint8Array(128).fill(31);
  for (let letter = 0; letter < 26; letter++) {
    table[0x41 + letter] = letter + 1;
    table[0x61 + letter] = letter + 1;
  }
  const others = ["0123456789", "?&;", "_-", "/:@", " "];
  for (const [i, characters] of others.entries())
    for (const character of characters) table[character.charCodeAt(0)] = i === 0 ? 0 : 26 + i;
  return table;
}

function classAt(text: string, at: number): number {
  return classes[text.charCodeAt(at) & 127] ?? 0;
}

export class TripleScan {
  readonly #wanted = new Uint8Array(tripleCount);

  /** Of longer texts the first three characters count; shorter ones are refused, since they say too little. */
  constructor(triples: Iterable<string>) {
    for (const triple of triples) {
      if (triple.length < 3)
        throw new RangeError(`not three characters: ${JSON.stringify(triple)}`);
      const [first, second, third] = [classAt(triple, 0), classAt(triple, 1), classAt(triple, 2)];
      this.#wanted[(first << (2 * bits)) | (second << bits) | third] = 1;
    }
  }

  /** False: no expression matches. */
  mayMatch(text: string): boolean {
    const wanted = this.#wanted;
    const { length } = text;
    let triple = 0;
    for (let at = 0; at < length; at++) {
      triple = ((triple << bits) | classAt(text, at)) & (tripleCount - 1);
      if (wanted[triple] === 1) return true;
    }
    return false;
  }
}
