/**
 * Answers that can no longer change (see `answer-tags.ts`), as they were sent: several people look at the same hour of an
 * incident, and pages ask again for what they showed. Bounded by `bytesMax`; what was not asked for longest goes first.
 */
import type { SentBody } from "../../http/big-answer.ts";

const bytesMax = 32 * 2 ** 20;
/** Larger ones are rare, and would drive out many. */
const answerBytesMax = 2 ** 20;
const entryBytes = 500;

export class FinalAnswers {
  readonly #byTag = new Map<string, SentBody>();
  #sizeBytes = 0;

  of(tag: string): SentBody | undefined {
    const known = this.#byTag.get(tag);
    if (!known) return undefined;
    this.#byTag.delete(tag);
    this.#byTag.set(tag, known);
    return known;
  }

  keep(tag: string, body: SentBody): void {
    const sizeBytes = sizeOf(body);
    if (sizeBytes > answerBytesMax || this.#byTag.has(tag)) return;
    this.#byTag.set(tag, body);
    this.#sizeBytes += sizeBytes;
    for (const [oldest, entry] of this.#byTag) {
      if (this.#sizeBytes <= bytesMax) return;
      this.#byTag.delete(oldest);
      this.#sizeBytes -= sizeOf(entry);
    }
  }
}

/** Twice the answer, for its deflated form. */
function sizeOf({ bytes }: SentBody): number {
  return entryBytes + 2 * bytes.length;
}
