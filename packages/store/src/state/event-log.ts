/**
 * The operational log: versioned events (incidents, approvals, actions, silences…) that the rooms above fold into their
 * state. One journal that is kept for ever. A payload is the JSON object {"version":1,"sequence":n,"event":…}.
 *
 * Rejected means absent: an event that could not be made durable is cut from the log, never replayed.
 */
import { type Clock, SkoposError } from "@skopos/model";
import type { Files } from "../journal/files.ts";
import { frameKinds } from "../journal/frame.ts";
import {
  JournalReader,
  type JournalFollower,
  type JournalFrame,
} from "../journal/journal-reader.ts";
import { Journal } from "../journal/journal.ts";

export interface EventLogOptions<T> {
  readonly dir: string;
  readonly clock: Clock;
  /** Checks and types a stored event; throws when it does not know it. */
  readonly decode: (json: unknown) => T;
  readonly files?: Files;
}

export interface SequencedEvent<T> {
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly event: T;
}

const version = 1;
const segmentBytesMax = 16 * 1024 * 1024;
const bytesMax = 64 * 1024 * 1024 * 1024;
const bufferBytesMax = 16 * 1024 * 1024;
/** Events are rare and people wait for them. */
const fsyncMs = 2;

interface Envelope {
  readonly sequence: number;
  readonly event: unknown;
}

function readEnvelope(dir: string, frame: JournalFrame): Envelope {
  const json: unknown = JSON.parse(Buffer.from(frame.payload).toString("utf8"));
  if (
    typeof json === "object" &&
    json !== null &&
    "version" in json &&
    "sequence" in json &&
    "event" in json
  ) {
    const { sequence, event } = json;
    if (json.version === version && typeof sequence === "number") return { sequence, event };
  }
  throw new SkoposError(
    "event-unknown",
    `${dir}: the event at position ${frame.position} is of an unknown version; was it written by a newer release?`,
  );
}

async function lastSequence(dir: string, reader: JournalFollower): Promise<number> {
  let last: JournalFrame | undefined;
  for await (const frame of reader.read(0)) if (frame.kind === frameKinds.event) last = frame;
  return last ? readEnvelope(dir, last).sequence : 0;
}

export class EventLog<T> {
  readonly #decode: (json: unknown) => T;
  readonly #journal: Journal;
  readonly #reader: JournalFollower;
  #sequence = 0;
  #durableSequence = 0;

  private constructor(decode: (json: unknown) => T, journal: Journal, reader: JournalFollower) {
    this.#decode = decode;
    this.#journal = journal;
    this.#reader = reader;
  }

  static async open<T>(options: EventLogOptions<T>): Promise<EventLog<T>> {
    const { dir, clock, decode, files } = options;
    const disk = files ? { files } : {};
    const numbering = { renumber: () => {} };
    const journal = await Journal.open({
      dir,
      clock,
      segmentBytesMax,
      bytesMax,
      bufferBytesMax,
      fsyncMs,
      onDropped: () => numbering.renumber(),
      ...disk,
    });
    const reader = await JournalReader.open({ dir, clock, ...disk });
    const log = new EventLog(decode, journal, reader);
    try {
      log.#sequence = log.#durableSequence = await lastSequence(dir, reader);
    } catch (error) {
      await log.close();
      throw error;
    }
    // What was dropped was everything behind the last durable event.
    numbering.renumber = () => (log.#sequence = log.#durableSequence);
    return log;
  }

  /** Sequence of the newest durable event; 0 when there is none. */
  get durableSequence(): number {
    return this.#durableSequence;
  }

  /**
   * Resolves with the event's sequence when it is on disk; events keep the order of the calls. Rejects with "disk-full",
   * "unavailable" or "overloaded": then the event, and every later one that waited with it, is not in the log.
   */
  async append(event: T): Promise<number> {
    const sequence = this.#sequence + 1;
    const payload = Buffer.from(JSON.stringify({ version, sequence, event }));
    const position = this.#journal.append(frameKinds.event, payload);
    this.#sequence = sequence;
    await this.#journal.flushed(position);
    this.#durableSequence = sequence;
    return sequence;
  }

  /** Every durable event so far, oldest first. */
  async *replay(): AsyncGenerator<SequencedEvent<T>> {
    for await (const frame of this.#reader.read(0)) {
      if (frame.kind !== frameKinds.event) continue;
      const { sequence, event } = readEnvelope(this.#journal.dir, frame);
      yield { sequence, event: this.#decode(event) };
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#journal.close();
  }
}
