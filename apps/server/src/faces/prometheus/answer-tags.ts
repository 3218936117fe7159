/**
 * ETags for queries whose answer is final: everything they look at is settled and in the head. A late sample or a deletion
 * changes the tags of all of them. They are weak, since an answer may come deflated or not.
 */
import { createHash, randomUUID } from "node:crypto";
import { systemClock } from "@skopos/model";
import { finalReach, Reaches } from "@skopos/promql";
import { HeadMarks, type HeadShare, settledAfterMs } from "@skopos/store";
import type { instantQueryOf, rangeQueryOf } from "./queries.ts";

export type TaggedQuery = ReturnType<typeof instantQueryOf> | ReturnType<typeof rangeQueryOf>;

export class AnswerTags {
  readonly #marks: HeadMarks;
  /** A restart forgets what was counted. */
  readonly #start = randomUUID();
  readonly #reaches = new Reaches();

  constructor(head: HeadShare) {
    this.#marks = new HeadMarks(head);
  }

  /** Undefined while the answer may still change. Throws `bad-query`. */
  of(query: TaggedQuery): string | undefined {
    const { timeoutMs: _, ...asked } = query;
    const range =
      "timeMs" in query ? { ...query, startMs: query.timeMs, endMs: query.timeMs } : query;
    const version = this.#marks.settledVersion;
    const options = {
      clock: systemClock,
      reaches: this.#reaches,
      settleMs: settledAfterMs,
      heldSinceMs: () => this.#marks.heldSinceMs,
    };
    if (query.stats || !finalReach(range, options, query.lookbackMs)) return undefined;
    const text = JSON.stringify([this.#start, version, asked]);
    return `W/"${createHash("sha1").update(text).digest("base64url")}"`;
  }
}
