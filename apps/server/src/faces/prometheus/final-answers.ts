/**
 * Answers that can no longer change (see `answer-tags.ts`), as they were sent: several people look at the same hour of an
 * incident, and pages ask again for what they showed. Bounded by bytes; what was not asked for longest goes first.
 */
import type { SentBody } from "../../http/big-answer.ts";

const bytesMaxDefault = 32 * 2 ** 20;
/** A larger share of all is rare, and would drive out many. */
const answerShareMax = 1 / 32;
const entryBytes = 500;

export class FinalAnswers {
  readonly #byTag = new Map<string, SentBody>();
  readonly #bytesMax: number;
  #sizeBytes = 0;

  constructor(bytesMax = bytesMaxDefault) {
    this.#bytesMax = bytesMax;
  }

  of(tag: string): SentBody | undefined {
    const known = this.#byTag.get(tag);
    if (!known) return undefined;
    this.#byTag.delete(tag);
    this.#byTag.set(tag, known);
    return known;
  }

  keep(tag: string, body: SentBody): void {
    const sizeBytes = sizeOf(body);
    if (sizeBytes > this.#bytesMax * answerShareMax || this.#byTag.has(tag)) return;
    this.#byTag.set(tag, body);
    this.#sizeBytes += sizeBytes;
    for (const [oldest, entry] of this.#byTag) {
      if (this.#sizeBytes <= this.#bytesMax) return;
      this.#byTag.delete(oldest);
      this.#sizeBytes -= sizeOf(entry);
    }
  }
}

/** Twice the answer, for its deflated form. */
function sizeOf({ bytes }: SentBody): number {
  return entryBytes + 2 * bytes.length;
}
