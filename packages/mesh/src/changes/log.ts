/** The bounded list of changes, ordered by time; the oldest leave first. */
import type { ChangeRecord } from "./record.ts";

/** Two records of one object and kind this close together are the same change, seen live and reconstructed. */
const sameChangeMs = 30_000;

export interface ChangeQuery {
  /** Inclusive, unix ms. */
  readonly startMs: number;
  readonly endMs: number;
  readonly serviceId?: string;
}

export class ChangeLog {
  readonly #recordsMax: number;
  #records: ChangeRecord[] = [];

  constructor(recordsMax: number) {
    this.#recordsMax = recordsMax;
  }

  /**
   * False when the change is already known. A change seen "live" is known by its id; one "reconstructed" from what the API
   * remembers, or "remembered" from an earlier run, also by object, kind and time. What an earlier run saw takes the place of
   * a reconstruction, so that ids stay what they were.
   */
  add(record: ChangeRecord, mode: "live" | "reconstructed" | "remembered"): boolean {
    const { change } = record;
    const known = this.#records.find(
      (other) =>
        other.change.id === change.id ||
        (mode !== "live" &&
          other.change.kind === change.kind &&
          other.change.object.id === change.object.id &&
          Math.abs(other.change.at - change.at) < sameChangeMs),
    );
    if (known) {
      const knowsMore = known.before === null && record.before !== null;
      const knowsLess = known.before !== null && record.before === null;
      const isWitness = mode === "remembered" && !knowsLess;
      if (known.change.kind === change.kind && (isWitness || knowsMore)) {
        this.#records = this.#records.map((other) => (other === known ? record : other));
      }
      return false;
    }
    let index = this.#records.length;
    while (index > 0 && (this.#records[index - 1]?.change.at ?? 0) > change.at) index--;
    this.#records.splice(index, 0, record);
    if (this.#records.length > this.#recordsMax) this.#records.shift();
    return true;
  }

  get(id: string): ChangeRecord | undefined {
    return this.#records.find((record) => record.change.id === id);
  }

  /** Newest first. */
  between(query: ChangeQuery): ChangeRecord[] {
    return this.#records
      .filter(
        ({ change }) =>
          change.at >= query.startMs &&
          change.at <= query.endMs &&
          (query.serviceId === undefined || change.serviceId === query.serviceId),
      )
      .reverse();
  }

  get lastAt(): number | null {
    return this.#records.at(-1)?.change.at ?? null;
  }
}
