/** The one way to change the desk's state: append to the log, and when that is durable, fold. Appends keep their order. */
import { type DeskState, emptyState, fold, type IncidentRecord } from "./state.ts";
import type { DeskEvent, EventLog } from "./events.ts";
import { SkoposError } from "@skopos/model";

export interface DeskUpdate {
  readonly topic: "incidents" | "incident" | "changes";
  readonly id?: string;
}

export class Ledger {
  readonly state: DeskState = emptyState();
  readonly #log: EventLog;
  readonly #onUpdate: (update: DeskUpdate) => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(log: EventLog, onUpdate: (update: DeskUpdate) => void) {
    this.#log = log;
    this.#onUpdate = onUpdate;
  }

  /** Folds everything the log holds. Before any append. */
  async load(): Promise<void> {
    for await (const { sequence, event } of this.#log.replay()) fold(this.state, sequence, event);
  }

  /** Rejects, and changes nothing, when the event cannot be made durable. */
  append(event: DeskEvent): Promise<void> {
    const run = async () => {
      const sequence = await this.#log.append(event);
      fold(this.state, sequence, event);
      if (event.type === "change-seen") this.#onUpdate({ topic: "changes" });
      else {
        this.#onUpdate({ topic: "incident", id: event.incidentId });
        this.#onUpdate({ topic: "incidents" });
      }
    };
    const result = this.#last.then(run);
    // The next append goes on whatever became of this one; who asked for this one hears of it.
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Tells viewers of news that are not events: figures while verifying. */
  touch(incidentId: string): void {
    this.#onUpdate({ topic: "incident", id: incidentId });
  }

  /** Throws `not-found`. */
  incident(id: string): IncidentRecord {
    const found = this.state.incidents.get(id);
    if (!found) throw new SkoposError("not-found", `there is no incident ${id}`);
    return found;
  }

  get unresolved(): IncidentRecord[] {
    return [...this.state.incidents.values()].filter(({ state }) => state !== "resolved");
  }
}
