/**
 * The writer's end of the sequence locks of groups (`memory.ts`): which group it is changing under readers' eyes. One
 * group at a time; taking the lock of the group that is held already does nothing.
 */
import { groupWord, groupWords, type HeadShare } from "./memory.ts";

export class GroupLock {
  readonly #table: Int32Array;
  #held = -1;

  constructor(share: HeadShare) {
    this.#table = new Int32Array(share.groups);
  }

  get held(): number {
    return this.#held;
  }

  take(group: number): void {
    if (this.#held === group) return;
    this.#held = group;
    Atomics.add(this.#table, group * groupWords + groupWord.sequence, 1);
  }

  release(): void {
    if (this.#held < 0) return;
    Atomics.add(this.#table, this.#held * groupWords + groupWord.sequence, 1);
    this.#held = -1;
  }

  /** Changes something of a group; where the lock was held before, it stays held. */
  around<T>(group: number, change: () => T): T {
    const alone = this.#held < 0;
    this.take(group);
    try {
      return change();
    } finally {
      if (alone) this.release();
    }
  }

  /** Readers of the group must know the definition log up to here. */
  defined(group: number, definedAt: number): void {
    Atomics.store(this.#table, group * groupWords + groupWord.definedAt, definedAt);
  }
}
